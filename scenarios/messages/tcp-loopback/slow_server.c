/* usage: slow_server SENDS REST
 * A server on a TCP port of this machine that reads late, and a client that sends and sends. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK 8192

static char bytes[CHUNK];

static void server_read(int listener, double rest)
{
    int connection = accept(listener, NULL, NULL);
    ssize_t count, total = 0;

    usleep((useconds_t)(rest * 1e6)); /* busy with something else: the bytes wait */
    while ((count = recv(connection, bytes, sizeof bytes, 0)) > 0)
        total += count;
    dprintf(connection, "%zd bytes came", total); /* the other direction is still open */
    close(connection);
}

static void client_send(const struct sockaddr_in *server, int sends)
{
    int size = CHUNK, client = socket(AF_INET, SOCK_STREAM, 0);
    char answer[100];

    setsockopt(client, SOL_SOCKET, SO_SNDBUF, &size, sizeof size); /* Linux takes twice as much */
    if (connect(client, (const struct sockaddr *)server, sizeof *server) < 0) {
        perror("connect");
        exit(1);
    }
    while (sends-- > 0)
        if (send(client, bytes, CHUNK, 0) < 0) /* sleeps when neither queue has room */
            perror("send");
    shutdown(client, SHUT_WR); /* nothing more to say, and ready to listen */
    ssize_t count = recv(client, answer, sizeof answer, 0);
    printf("client: %.*s\n", count > 0 ? (int)count : 0, answer);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET}; /* port 0: any that is free */
    socklen_t length = sizeof address;
    int size = CHUNK, listener = socket(AF_INET, SOCK_STREAM, 0);

    if (argc != 3)
        return 2;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size); /* connections inherit it */
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("bind");
        return 1;
    }
    listen(listener, 5);
    getsockname(listener, (struct sockaddr *)&address, &length); /* which port is it? */
    if (fork() == 0) {
        close(listener);
        client_send(&address, atoi(argv[1]));
        return 0;
    }
    server_read(listener, atof(argv[2]));
    wait(NULL);
    return 0;
}
