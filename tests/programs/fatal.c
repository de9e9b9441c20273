/* Dies of the named signal, by the fault itself where there is one. */
#include "common.h"
int main(int argc, char **argv)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    puts("about to die");
    fflush(stdout);
    const char *how = argc > 1 ? argv[1] : "abort";
    if (!strcmp(how, "segv"))
        *(volatile int *)8 = 1;
    else if (!strcmp(how, "ill"))
        __builtin_trap();
    else if (!strcmp(how, "abort"))
        abort();
    else
        raise(atoi(how));
    return 98;
}
