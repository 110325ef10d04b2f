/* One scan: threads take jobs until none is left. The lock is released while they work. */
#include "binding.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* Threads that take one job after the other until none is left. */
struct team {
    const struct variant *variant;
    struct input input;
    struct scores scores;
    long wide;          /* outputs computed along x */
    long along, across; /* outputs of a job along the carrying axis, and along x if that is y */
    long jobs_along, jobs_across, jobs;
    atomic_long next;
    atomic_int stop;
};

struct worker {
    struct team *team;
    struct scratch *scratch;
    pthread_t thread;
    PyThreadState *state; /* of the caller's own thread, which listens for signals; else NULL */
    double listened;      /* when it last did, in seconds */
#ifdef __GLIBC__
    cpu_set_t cores; /* that the scan may use */
#endif
};

/* Bytes of scores of which no cache would still hold the first when the last is written. */
#ifdef SCANWISE_POISON
#define LARGE 2000 /* tests of small scans should see both ways of writing */
#else
#define LARGE (32 << 20)
#endif
#define PAUSE 0.05 /* seconds between times of listening, which takes the lock */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Whether the scan has been interrupted. */
static int poll(void *given)
{
    struct worker *me = given;
    if (me->state && seconds() - me->listened > PAUSE) {
        PyEval_RestoreThread(me->state);
        if (PyErr_CheckSignals())
            atomic_store(&me->team->stop, 1);
        me->state = PyEval_SaveThread();
        me->listened = seconds();
    }
    return atomic_load(&me->team->stop);
}

static struct job job_number(struct worker *me, long i)
{
    const struct team *t = me->team;
    const long across = i % t->jobs_across, along = i / t->jobs_across % t->jobs_along;
    const long total = t->across ? t->scores.count_y : t->wide;
    struct job job = {i / t->jobs_across / t->jobs_along, along * t->along, (along + 1) * t->along,
                      across * t->across, (across + 1) * t->across, poll, me};
    if (job.to > total)
        job.to = total;
    if (job.right > t->wide)
        job.right = t->wide;
    return job;
}

static void *work(void *given)
{
    struct worker *me = given;
    struct team *t = me->team;
    me->listened = seconds();
    for (long i; !atomic_load(&t->stop) && (i = atomic_fetch_add(&t->next, 1)) < t->jobs;) {
        const struct job job = job_number(me, i);
        t->variant->run(me->scratch, &t->input, &t->scores, &job);
    }
    return NULL;
}

#ifdef __GLIBC__
static void *work_anywhere(void *given)
{
    struct worker *me = given;
    sched_setaffinity(0, sizeof me->cores, &me->cores);
    return work(me);
}

/* Linux may start a thread on its creator's core, and leave both there for milliseconds while other cores are idle. So
 * number i starts on the i-th core after this one, and may go anywhere from then on. */
static int start(struct worker *me, int i)
{
    pthread_attr_t attributes;
    cpu_set_t one;
    int core = sched_getcpu();
    if (core < 0 || sched_getaffinity(0, sizeof me->cores, &me->cores) || pthread_attr_init(&attributes))
        return pthread_create(&me->thread, NULL, work, me);
    for (int left = i % CPU_COUNT(&me->cores); left; left -= CPU_ISSET(core, &me->cores))
        core = (core + 1) % CPU_SETSIZE;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    int failed = pthread_attr_setaffinity_np(&attributes, sizeof one, &one) ||
                 pthread_create(&me->thread, &attributes, work_anywhere, me);
    pthread_attr_destroy(&attributes);
    return failed && pthread_create(&me->thread, NULL, work, me);
}
#else
static int start(struct worker *me, int i)
{
    (void)i;
    return pthread_create(&me->thread, NULL, work, me);
}
#endif

static void run_team(struct worker *workers, int threads)
{
    int started = 1;
    workers[0].state = PyEval_SaveThread();
    for (; started < threads; started++)
        if (start(&workers[started], started))
            break; /* the others do its share */
    work(&workers[0]);
    for (int i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    PyEval_RestoreThread(workers[0].state);
}

/* The letter of a number type that `input.h` can read; 0 for any other. */
static char number_type(const char *format)
{
    if (*format == '@' || *format == '=' || *format == '<')
        format++;
    if (!format[0] || format[1])
        return 0;
    if (*format == 'l')
        return sizeof(long) == 8 ? 'q' : 'i';
    if (*format == 'L')
        return sizeof(long) == 8 ? 'Q' : 'I';
    return strchr("fdbBhHiIqQ?", *format) ? *format : 0;
}

static int read_input(const Py_buffer *x, const struct program *p, struct input *in)
{
    const int axes = p->carry_x ? 1 : 2;
    in->type = x->format ? number_type(x->format) : 0;
    const long bytes = in->type == 'd' || in->type == 'q' || in->type == 'Q'   ? 8
                       : in->type == 'f' || in->type == 'i' || in->type == 'I' ? 4
                       : in->type == 'h' || in->type == 'H'                    ? 2
                                                                               : 1;
    if (x->ndim != axes + 2 || !in->type || x->itemsize != bytes || x->shape[1] != p->node->channels) {
        PyErr_SetString(PyExc_ValueError, "x must be an array (items, channels, *space) of numbers");
        return 0;
    }
    in->data = x->buf;
    in->items = x->shape[0];
    in->channels = x->shape[1];
    in->height = axes == 2 ? x->shape[2] : 1;
    in->width = x->shape[axes + 1];
    in->item_bytes = x->strides[0];
    in->channel_bytes = x->strides[1];
    in->row_bytes = axes == 2 ? x->strides[2] : 0;
    in->column_bytes = x->strides[axes + 1];
    return 1;
}

/* The outputs must have room for (items, channels, count_y, count_x) numbers each. */
static int read_scores(PyObject *outs, const struct engine *e, long items, struct scores *s, Py_buffer *views,
                       long *have)
{
    const struct program *p = e->program;
    double total = 0;
    if (PyTuple_Size(outs) != p->outputs) {
        PyErr_SetString(PyExc_ValueError, "outs must have an entry for each output");
        return 0;
    }
    for (long i = 0; i < p->outputs; i++, (*have)++) {
        if (PyObject_GetBuffer(PyTuple_GetItem(outs, i), &views[i], PyBUF_WRITABLE))
            return 0;
        s->data[i] = views[i].buf;
        const long channels = p->node[p->output[i].node].channels;
        const double numbers = (double)items * (double)channels * (double)s->count_y * (double)s->count_x;
        if ((uintptr_t)views[i].buf % (uintptr_t)e->variant->item) {
            (*have)++;
            PyErr_Format(PyExc_ValueError, "output %ld begins inside a number", i);
            return 0;
        }
        if ((double)views[i].len != numbers * (double)e->variant->item) {
            (*have)++;
            PyErr_Format(PyExc_ValueError, "output %ld has %zd bytes", i, views[i].len);
            return 0;
        }
        total += numbers * (double)e->variant->item;
    }
    s->past_cache = total >= LARGE;
    return 1;
}

static PyObject *run_scan(struct engine *e, struct team *t, long strip, int threads)
{
    const long total = t->across ? t->scores.count_y : t->wide;
    if (t->along > total)
        t->along = total + !total;
    t->jobs_along = (total + t->along - 1) / t->along;
    t->jobs_across = t->across ? (t->wide + t->across - 1) / t->across : 1;
    t->jobs = t->input.items * t->jobs_along * t->jobs_across;
    if (t->jobs == 0 || t->scores.count_x == 0)
        Py_RETURN_NONE;
    if (threads > t->jobs)
        threads = (int)t->jobs;
    struct worker *workers = PyMem_Calloc((size_t)threads, sizeof *workers);
    if (!workers)
        return PyErr_NoMemory();
    int ready = 0;
    for (; ready < threads; ready++) {
        workers[ready].team = t;
        if (!(workers[ready].scratch = take_scratch(e, strip)))
            break;
    }
    if (ready)
        run_team(workers, ready);
    for (int i = 0; i < ready; i++)
        return_scratch(e, workers[i].scratch, strip);
    PyMem_Free(workers);
    if (!ready)
        return PyErr_NoMemory();
    if (atomic_load(&t->stop))
        return NULL; /* a signal's exception */
    Py_RETURN_NONE;
}

const char SCAN_DOC[] =
    "scan(engine, x, outs, counts, every, strip, along, across, threads): fill the arrays `outs` with scores.\n\n"
    "x: (items, channels, *space), any number type and strides; outs: a writable array without gaps for each output,\n"
    "(items, channels, *counts); every: along the last axis, one of so many outputs computed is wanted; strip: outputs\n"
    "of a strip, or of a column of an image; along, across: outputs of a job along the axis that carries and across it\n"
    "(at most the strip; 0 for signals).";

PyObject *scan(PyObject *self, PyObject *arguments)
{
    (void)self;
    PyObject *capsule, *array, *outs, *result = NULL;
    struct team team = {0};
    long strip;
    int threads;
    if (!PyArg_ParseTuple(arguments, "OOO!(ll)lllli", &capsule, &array, &PyTuple_Type, &outs, &team.scores.count_y,
                          &team.scores.count_x, &team.scores.every, &strip, &team.along, &team.across, &threads))
        return NULL;
    struct engine *e = engine_of(capsule);
    if (!e)
        return NULL;
    const int image = !e->program->carry_x;
    if (strip < 1 || strip > 1L << 31 || team.along < 1 || threads < 1 || team.scores.count_y < 0 ||
        team.scores.count_x < 0 ||
        (image ? team.across < 1 || team.across > strip : team.across != 0) ||
        (!image && team.scores.count_y != 1)) {
        PyErr_SetString(PyExc_ValueError, "strip, along, across, counts and threads must fit each other");
        return NULL;
    }
    if (team.scores.every < 1 || team.scores.every > 1L << 31 || team.scores.count_x > 1L << 40 ||
        team.scores.count_y > 1L << 40) {
        PyErr_SetString(PyExc_ValueError, "every and counts must be whole numbers that are not absurd");
        return NULL;
    }
    team.wide = team.scores.count_x ? (team.scores.count_x - 1) * team.scores.every + 1 : 0;
    Py_buffer x;
    if (PyObject_GetBuffer(array, &x, PyBUF_STRIDES | PyBUF_FORMAT))
        return NULL;
    const size_t outputs = (size_t)e->program->outputs;
    Py_buffer *views = PyMem_Calloc(outputs, sizeof *views);
    team.scores.data = PyMem_Calloc(outputs, sizeof *team.scores.data);
    team.variant = e->variant;
    long have = 0;
    if (!views || !team.scores.data)
        PyErr_NoMemory();
    else if (read_input(&x, e->program, &team.input) &&
             read_scores(outs, e, team.input.items, &team.scores, views, &have))
        result = run_scan(e, &team, strip, threads);
    while (have--)
        PyBuffer_Release(&views[have]);
    PyMem_Free(views);
    PyMem_Free(team.scores.data);
    PyBuffer_Release(&x);
    return result;
}

