/* unfold.c -- see unfold.h.
 *
 *     {"epoch":5,"members":[{"ordinal":1,"state":"up"},{"ordinal":2,"state":"down"}]}
 *
 *     epoch    5
 *
 *     members
 *     ordinal  state
 *     1        up
 *     2        down
 *
 * The columns of a table are the scalar fields of its rows. What a row holds besides stands
 * indented below it, or as "same as above" where the row before has just that.
 */
#include "tools/unfold.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "nwr/base.h"

enum {
    COLUMNS_MAX = 24,
    CELL_BYTES = 256,
    INDENT = 4
};

static void print_object(json_t *object, int indent);

static bool is_table(json_t *v)
{
    return json_is_array(v) && json_is_object(json_array_get(v, 0));
}

static bool is_nested(json_t *v)
{
    return json_is_object(v) || is_table(v);
}

static void cell_append(char *cell, const char *text)
{
    size_t len = strlen(cell);

    (void)snprintf(cell + len, CELL_BYTES - len, "%s%s", len ? " " : "", text);
}

/* A scalar, or an array of them, as one word or a few. */
static void cell_text(json_t *v, char cell[CELL_BYTES])
{
    char number[32];
    size_t i;
    json_t *e;

    if (json_is_string(v)) {
        cell_append(cell, json_string_length(v) ? json_string_value(v) : "-");
    } else if (json_is_integer(v)) {
        (void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        cell_append(cell, number);
    } else if (json_is_real(v)) {
        (void)snprintf(number, sizeof(number), "%.1f", json_real_value(v));
        cell_append(cell, number);
    } else if (json_is_boolean(v)) {
        cell_append(cell, json_is_true(v) ? "yes" : "no");
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, e) cell_text(e, cell);
        if (i == 0)
            cell_append(cell, "none");
    } else {
        cell_append(cell, "-");
    }
}

/* ---- tables --------------------------------------------------------------------------------- */

struct column {
    const char *name;
    size_t width;
};

struct table {
    struct column column[COLUMNS_MAX];
    size_t n;
};

static void column_note(struct table *t, const char *name, size_t width)
{
    size_t i = 0;

    while (i < t->n && strcmp(t->column[i].name, name) != 0)
        i++;
    if (i == COLUMNS_MAX)
        return;
    if (i == t->n)
        t->column[t->n++] = (struct column){name, strlen(name)};
    t->column[i].width = NWR_MAX(t->column[i].width, width);
}

static void table_measure(struct table *t, json_t *rows)
{
    const char *name;
    json_t *row, *v;
    size_t i;

    json_array_foreach(rows, i, row) json_object_foreach(row, name, v) if (!is_nested(v))
    {
        char cell[CELL_BYTES] = "";

        cell_text(v, cell);
        column_note(t, name, strlen(cell));
    }
}

/* row NULL: the line of names. */
static void table_line(const struct table *t, json_t *row, int indent)
{
    printf("%*s", indent, "");
    for (size_t i = 0; i < t->n; i++) {
        char cell[CELL_BYTES] = "";

        if (!row)
            cell_append(cell, t->column[i].name);
        else
            cell_text(json_object_get(row, t->column[i].name), cell);
        printf("%-*s", i + 1 < t->n ? (int)t->column[i].width + 2 : 0, cell);
    }
    putchar('\n');
}

static void print_table(json_t *rows, int indent);

static void print_nested(const char *name, json_t *v, int indent)
{
    printf("%*s%s\n", indent, "", name);
    if (json_is_object(v))
        print_object(v, indent);
    else
        print_table(v, indent);
}

static void print_table(json_t *rows, int indent)
{
    struct table t = {0};
    json_t *row, *above = NULL, *v;
    const char *name;
    size_t i;

    table_measure(&t, rows);
    table_line(&t, NULL, indent);
    json_array_foreach(rows, i, row)
    {
        table_line(&t, row, indent);
        json_object_foreach(row, name, v)
        {
            if (!is_nested(v))
                continue;
            if (above && json_equal(v, json_object_get(above, name)))
                printf("%*s%s: the same\n", indent + INDENT, "", name);
            else
                print_nested(name, v, indent + INDENT);
        }
        above = row;
    }
}

/* ---- objects -------------------------------------------------------------------------------- */

static void print_object(json_t *object, int indent)
{
    const char *name;
    size_t width = 0;
    json_t *v;

    json_object_foreach(object, name, v) if (!is_nested(v)) width = NWR_MAX(width, strlen(name));
    json_object_foreach(object, name, v) if (!is_nested(v))
    {
        char cell[CELL_BYTES] = "";

        cell_text(v, cell);
        printf("%*s%-*s  %s\n", indent, "", (int)width, name, cell);
    }
    json_object_foreach(object, name, v) if (is_nested(v))
    {
        putchar('\n');
        print_nested(name, v, indent);
    }
}

void nwr_unfold(const char *json)
{
    json_t *object = json_loads(json, 0, NULL);

    if (json_is_object(object))
        print_object(object, 0);
    else
        printf("%s\n", json);
    json_decref(object);
}
