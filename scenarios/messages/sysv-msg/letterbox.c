/* usage: letterbox remove|leave SECONDS
 * A System V message queue: each message has a type, and who receives asks for one. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/wait.h>
#include <unistd.h>

struct letter {
    long type; /* this one is for the kernel, and greater than 0 */
    char text[32];
};

static int queue = -1;

static void send_letter(long type, const char *text)
{
    struct letter letter = {.type = type};
    strncpy(letter.text, text, sizeof letter.text - 1);
    if (msgsnd(queue, &letter, strlen(text), 0) < 0) /* the type does not count as a byte */
        perror("msgsnd");
}

static void receive_letter(long type)
{
    struct letter letter;
    ssize_t count = msgrcv(queue, &letter, sizeof letter.text, type, 0);
    if (count < 0)
        perror("msgrcv");
    else
        printf("wanted type %ld, got type %ld: %.*s\n", type, letter.type, (int)count, letter.text);
}

static void clear_away(int signo)
{
    msgctl(queue, IPC_RMID, NULL); /* with all that waits in it */
    unlink("queue.key");
    if (signo)
        _exit(128 + signo);
}

int main(int argc, char **argv)
{
    int leave = argc > 1 && strcmp(argv[1], "leave") == 0;
    double seconds = argc > 2 ? atof(argv[2]) : 0.5;

    FILE *file = fopen("queue.key", "w"); /* ftok makes a key of a file that all know */
    if (file)
        fclose(file);
    queue = msgget(ftok("queue.key", 'Q'), IPC_CREAT | 0600);
    if (queue < 0) {
        perror("msgget");
        return 1;
    }
    send_letter(1, "bill");
    send_letter(1, "advert");
    send_letter(1, "postcard");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (fork() == 0) {
        receive_letter(2); /* the first one of type 2 */
        receive_letter(0); /* the first one */
        return 0;
    }
    signal(SIGINT, clear_away);
    signal(SIGTERM, clear_away);
    usleep((useconds_t)(seconds * 1e6));
    send_letter(2, "telegram");
    wait(NULL);
    if (!leave)
        clear_away(0);
    return 0;
}
