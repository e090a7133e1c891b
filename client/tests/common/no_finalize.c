/* Preloaded into ranks: an MPI whose end never comes, or comes as a crash where FINALIZE_CRASHES is set. */
#include <stdlib.h>
#include <unistd.h>

int MPI_Finalize(void)
{
    if (getenv("FINALIZE_CRASHES"))
        abort();
    for (;;)
        pause();
}
