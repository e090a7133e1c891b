/* Preloaded into slurmd and slurmstepd: FAKECPUS CPUs seem to exist, so that Slurm checks and reports the masks of a
 * large node on a small machine. Nothing is bound; a mask that names no existing CPU is refused as the kernel does. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static int cpus(void)
{
    const char *text = getenv("FAKECPUS");
    return text ? atoi(text) : 64;
}

int sched_getaffinity(pid_t pid, size_t bytes, cpu_set_t *mask)
{
    (void)pid;
    memset(mask, 0, bytes);
    for (int cpu = 0; cpu < cpus(); cpu++)
        CPU_SET_S(cpu, bytes, mask);
    return 0;
}

int sched_setaffinity(pid_t pid, size_t bytes, const cpu_set_t *mask)
{
    (void)pid;
    for (int cpu = 0; cpu < cpus(); cpu++)
        if (CPU_ISSET_S(cpu, bytes, mask))
            return 0;
    errno = EINVAL;
    return -1;
}
