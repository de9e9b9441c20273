/* usage: tasks NAME plain|notify CAPACITY REST
 * One process posts tasks into a message queue, another one takes them, the most urgent first. */
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONGEST 32

static const struct {
    const char *text;
    unsigned priority;
} tasks[] = {{"floor", 1}, {"fire", 9}, {"mail", 5}, {"lunch", 1}, {"home", 0}};

static void show_file(mqd_t queue)
{
    char text[100];
    ssize_t count = read(queue, text, sizeof text); /* on Linux a queue is a file */
    printf("%.*s", count > 0 ? (int)count : 0, text);
}

static void post_tasks(const char *name)
{
    mqd_t queue = mq_open(name, O_WRONLY); /* found by its name: there is one already */
    for (size_t n = 0; n < sizeof tasks / sizeof tasks[0]; n++) /* sleeps while it is full */
        if (mq_send(queue, tasks[n].text, strlen(tasks[n].text), tasks[n].priority) < 0)
            perror("mq_send");
}

static void take_tasks(mqd_t queue)
{
    char small[8], task[LONGEST] = "";
    unsigned priority;

    if (mq_receive(queue, small, sizeof small, &priority) < 0) /* every task would fit */
        perror("mq_receive into 8 bytes");
    while (strncmp(task, "home", 4) != 0) { /* the least urgent: behind all others */
        ssize_t count = mq_receive(queue, task, sizeof task, &priority); /* sleeps if empty */
        if (count < 0)
            break;
        printf("priority %u: %.*s\n", priority, (int)count, task);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int notify = strcmp(argv[2], "notify") == 0;
    struct mq_attr limits = {.mq_maxmsg = atol(argv[3]), .mq_msgsize = LONGEST};
    struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    sigset_t usr1;
    int signo;

    setvbuf(stdout, NULL, _IOLBF, 0);
    mqd_t queue = mq_open(argv[1], O_RDONLY | O_CREAT | O_EXCL, 0600, &limits);
    if (queue < 0) {
        perror("mq_open");
        return 1;
    }
    if (notify) {
        sigemptyset(&usr1);
        sigaddset(&usr1, SIGUSR1);
        sigprocmask(SIG_BLOCK, &usr1, NULL); /* it is waited for below */
        mq_notify(queue, &how); /* once, when a message comes into it empty */
        show_file(queue);
    }
    if (fork() == 0) {
        mq_close(queue);
        post_tasks(argv[1]);
        return 0;
    }
    if (notify) {
        sigwait(&usr1, &signo);
    } else {
        usleep((useconds_t)(atof(argv[4]) * 1e6)); /* meanwhile they pile up */
        show_file(queue);
    }
    take_tasks(queue);
    wait(NULL);
    mq_unlink(argv[1]); /* else the name is there until the next boot, with what is in it */
    return 0;
}
