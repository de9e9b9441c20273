/* shmdemo TEXT writes the text into a System V segment, shmdemo prints it, shmdemo -r removes it. */
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#define SIZE 1024

int main(int argc, char **argv)
{
    /* A number made of a file that all know: the key. The file itself is never opened. */
    key_t key = ftok("shmdemo.key", 'R');
    if (key == -1) {
        perror("shmdemo.key");
        return 1;
    }
    int id = shmget(key, SIZE, 0600 | IPC_CREAT); /* the segment of this key: new, or one that is there */
    if (id == -1) {
        perror("shmget");
        return 1;
    }
    char *data = shmat(id, NULL, 0);
    if (data == (void *)-1) {
        perror("shmat");
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "-r") == 0) {
        shmctl(id, IPC_RMID, NULL); /* only marked: it goes with its last attachment, and that is ours */
        printf("removed, and still there for us: '%s'\n", data);
    } else if (argc > 1) {
        snprintf(data, SIZE, "%s", argv[1]);
        printf("written: '%s'\n", data);
    } else {
        printf("the segment contains: '%s'\n", data);
    }
    fflush(stdout);
    shmdt(data);
    return 0;
}
