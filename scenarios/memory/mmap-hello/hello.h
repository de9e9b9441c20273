/* What lies in shared.dat: a text, and how long it is. */
#define TEXT_SIZE 60

struct hello {
    volatile int length; /* volatile: another process may store it at any time */
    char text[TEXT_SIZE];
};
