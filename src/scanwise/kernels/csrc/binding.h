/* What the files of the Python module share. */
#ifndef SCANWISE_BINDING_H
#define SCANWISE_BINDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "variant.h"

enum { IDLE = 64 };

struct engine {
    const struct variant *variant;
    struct program *program;
    struct scratch *idle[IDLE]; /* memory of former scans, all for strips of `strip` */
    int idle_count;
    long strip;
};

/* The variant for a set, for float64 if `wide`; NULL, with an exception set, if there is none. */
const struct variant *find_variant(const char *set, int wide);

/* The engine in a capsule; NULL, with an exception set, if it is none. */
struct engine *engine_of(PyObject *capsule);

/* Memory for one thread: that of a former scan, or new; NULL if memory is short. It is returned after use. */
struct scratch *take_scratch(struct engine *e, long strip);
void return_scratch(struct engine *e, struct scratch *w, long strip);

extern const char SCAN_DOC[];
PyObject *scan(PyObject *self, PyObject *arguments);

extern const char COUNT_DOC[];
PyObject *count_digits(PyObject *self, PyObject *arguments);

#endif
