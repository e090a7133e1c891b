"""ReFrame tests of what `shardscale gen` wrote: one for each script.

    shardscale gen --site SITE --out out
    SHARDSCALE_OUT=out reframe -c contrib/reframe/shardscale.py -C YOUR_SETTINGS.py -r --performance-report

On one machine without a scheduler add --exec-policy=serial: servers of runs at the same time want the same ports.

ReFrame's job has the directives of the script, runs it, and collects its run; `shardscale` must be in the job's PATH. The test is
sound where the run is done, as `shardscale collect` says, whose JSON (`shardscale schema collect`) has the figures: medians and
p99 in us, bandwidth in GB/s, for each operation and tensor size. Every launch measures anew; earlier attempts stay.
Written for ReFrame 4.8 and later. Run with its local scheduler; on Slurm and PBS only the job scripts were looked at.
Scripts of packs, and those whose database is a job of its own, are left out.
"""

import glob
import json
import os

import reframe as rfm
import reframe.utility.sanity as sn

# ReFrame loads this file from its own folder
OUT = os.path.normpath(os.path.join(os.environ.get('PWD', '.'), os.environ.get('SHARDSCALE_OUT', 'out')))
# what ReFrame writes into its own job script
OWN_DIRECTIVES = ('--job-name', '--output', '--error', '-N ', '-o ', '-e ', '-j ')


def runs():
    """Names of the scripts that have a run directory and are one job each."""
    names = (os.path.splitext(os.path.basename(path))[0] for path in sorted(glob.glob(os.path.join(OUT, '*.sh'))))
    return [name for name in names if os.path.isfile(os.path.join(OUT, name, 'run.toml'))
            and not os.path.isfile(os.path.join(OUT, name + '-db.sh'))]


def directives(script):
    """The lines with which the script asks its scheduler for nodes."""
    asks = []
    for line in script:
        prefix, _, rest = line.strip().partition(' ')
        if prefix in ('#SBATCH', '#PBS', '#BSUB', '#flux:') and not rest.startswith(OWN_DIRECTIVES):
            asks.append(line.strip())
        elif line.strip() and not line.startswith('#'):
            break
    return asks


def size_name(size):
    """1048576 -> 1MiB, as names of figures have no room for digits."""
    for unit, factor in (('GiB', 1 << 30), ('MiB', 1 << 20), ('KiB', 1 << 10)):
        if size >= factor and size % factor == 0:
            return f'{size // factor}{unit}'
    return f'{size}B'


@rfm.simple_test
class ShardScale(rfm.RunOnlyRegressionTest):
    descr = 'put and unpack of tensors in an in-memory store'
    run_name = parameter(runs())
    valid_systems = ['*']
    valid_prog_environs = ['*']
    executable = 'bash'
    # the script's own directives ask for nodes
    num_tasks = None

    @run_before('run')
    def as_the_script_asks(self):
        script = os.path.join(OUT, f'{self.run_name}.sh')
        with open(script) as lines:
            self.job.options += directives(lines)
        self.executable_opts = [script]
        # it starts its ranks and servers by itself
        self.job.launcher = rfm.core.backends.getlauncher('local')()
        self.env_vars['SHARDSCALE_RERUN'] = '1'
        run = os.path.join(OUT, self.run_name)
        # exit code 3: the state in the JSON says more
        self.postrun_cmds = [f'shardscale collect {run} --out report --format json > collect.json || [ $? = 3 ]']

    def collected(self):
        with open(os.path.join(self.stagedir, 'collect.json')) as text:
            return json.load(text)['runs'][0]

    @sanity_function
    def run_is_done(self):
        run = self.collected()
        return sn.assert_eq(run['state'], 'done', msg=f"the run is {run['state']}: {run['reason']}")

    @run_before('performance')
    def figures(self):
        if self.is_dry_run():
            return

        def add(name, value, unit):
            if value is not None:
                self.perf_variables[name] = sn.make_performance_function(sn.defer(value), unit)

        for size in self.collected()['measured']['sizes']:
            of = size_name(size['payload_bytes'])
            add(f'both_ops_{of}_overlap', size['overlap_both_ops_gb_per_s'], 'GB/s')
            for op in size['ops']:
                add(f"{op['op']}_{of}_median", op['median_us'], 'us')
                add(f"{op['op']}_{of}_p99", op['p99_us'], 'us')
