#!/bin/bash
# rebuild.sh -- makes plot.js anew from the versions in package-lock.json. Needs npm and a network; `cargo build` needs neither.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/{package.json,package-lock.json,entry.mjs} "$work"
cd "$work"
npm ci --ignore-scripts --no-audit --no-fund >&2

build() {
  node_modules/.bin/esbuild entry.mjs --bundle --minify --format=iife --global-name=Plot --target=es2020 \
    --charset=utf8 --legal-comments=none "$@"
}

# the licences of what is in the bundle go into it, and so into every report
build --metafile=meta.json --outfile=draft.js --log-level=warning
packages=$(node -p 'Object.keys(JSON.parse(require("fs").readFileSync("meta.json")).inputs)
  .map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
  .filter((name, at, all) => name && all.indexOf(name) === at).sort().join("\n")')
{
  echo '/*! Observable Plot and what it is built on, bundled by rebuild.sh'
  for package in $packages; do
    version=$(node -p "require('./node_modules/$package/package.json').version")
    licence=$(find "node_modules/$package" -maxdepth 1 -iname 'licen[sc]e*' | head -n 1)
    printf '\n%s %s\n' "$package" "$version"
    if [ -n "$licence" ]; then cat "$licence"; else node -p "'Licence: ' + require('./node_modules/$package/package.json').license"; fi
  done
  echo '*/'
} >banner.txt
if sed 1d banner.txt | sed '$d' | grep -q '\*/'; then echo 'a licence text would end the comment' >&2; exit 1; fi
build --outfile=plot.js --log-level=warning
cat banner.txt plot.js >"$here/plot.js"
wc -c "$here/plot.js" >&2
