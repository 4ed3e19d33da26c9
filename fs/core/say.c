/* say.c -- see say.h. */
#include "fs/core/say.h"

void nwr_say(struct nwr_out *o, const char *text)
{
    nwr_out_raw(o, text, strlen(text));
}

void nwr_say_number(struct nwr_out *o, uint64_t v, int width)
{
    char text[24];
    int at = sizeof(text);

    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v || (int)sizeof(text) - at < width);
    nwr_out_raw(o, text + at, sizeof(text) - (size_t)at);
}
