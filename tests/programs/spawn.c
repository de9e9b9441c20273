/* posix_spawn with file actions and attributes, and one that fails. */
#include "common.h"
#include <spawn.h>
extern char **environ;
int main(void)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t set;
    int ends[2], status;
    pid_t pid;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    signal(SIGPIPE, SIG_IGN);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawnattr_init(&attributes);
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    char *argv[] = {"sh", "-c", "cat; echo spawned; kill -PIPE $$", NULL};
    int error = posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, environ);
    CHECK(error == 0);
    close(ends[1]);
    char text[64];
    ssize_t n, total = 0;
    while ((n = read(ends[0], text + total, sizeof text - total)) > 0)
        total += n;
    printf("%.*s", (int)total, text);
    CHECK(waitpid(pid, &status, 0) == pid);
    say_status("spawned", status);
    error = posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ);
    printf("no such program: %s\n", strerror(error));
    return 0;
}
