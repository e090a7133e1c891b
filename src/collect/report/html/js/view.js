// What the reader chose, kept in the address, so that a view can be linked: #section&key=value&key=value. An entry that
// has its default is left out.
const view = (() => {
  let section = "";
  let entries = new URLSearchParams();
  const listeners = [];

  function read() {
    const [first, ...rest] = location.hash.slice(1).split("&");
    section = first.includes("=") ? "" : first;
    entries = new URLSearchParams(first.includes("=") ? [first, ...rest].join("&") : rest.join("&"));
  }

  function write() {
    const text = [section, entries.toString()].filter(Boolean).join("&");
    // a page that is not in the address bar's origin (a sandboxed frame) may not change its address: the view still works
    try {
      history.replaceState(null, "", `#${text}`);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
  }

  const tell = () => listeners.forEach((listener) => listener());

  read();
  addEventListener("hashchange", () => {
    const before = entries.toString();
    read();
    if (entries.toString() === "" && before !== "" && byId(section)) {
      // a plain link to a section says nothing of the choices: they stay
      entries = new URLSearchParams(before);
      write();
    } else if (entries.toString() !== before) tell();
    byId(section)?.scrollIntoView();
  });

  return {
    onChange: (listener) => listeners.push(listener),
    section: () => section,
    get: (key) => entries.get(key),
    getAll: (key) => entries.getAll(key),
    /** Values of an entry; none takes it out. */
    set(key, values) {
      entries.delete(key);
      for (const value of values) entries.append(key, value);
      write();
      tell();
    },
    clear(prefix) {
      for (const key of [...entries.keys()]) if (key.startsWith(prefix)) entries.delete(key);
      write();
      tell();
    },
    visit(id) {
      section = id;
      write();
      const target = byId(id);
      target.scrollIntoView();
      target.focus({ preventScroll: true });
    },
  };
})();
