#include <stdio.h>
#include <string.h>

int main(void) {
    char name[256] = "";
    size_t length = fread(name, 1, sizeof name - 1, stdin);
    name[length] = 0;
    name[strcspn(name, "\r\n")] = 0;
    printf("Hello, %s!\n", name[0] ? name : "world");
    return 0;
}
