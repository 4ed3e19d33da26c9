/* cmd.c -- how a command says what went wrong; see cmd.h. */
#include "tools/cmd.h"

#include <stdarg.h>
#include <stdio.h>

static void say(const char *format, va_list args)
{
    fputs("nwrfs: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int nwr_cmd_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return 1;
}

int nwr_cmd_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return 2;
}
