/* Run a model with threads of the program's own: they do the tasks of each parallel region.
 * Prints how many regions there were and how many tasks; the results must be those of one thread. */
#include "net.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, MOST = 8 };

typedef struct {
    long regions, tasks;
} counts;

typedef struct {
    void (*task)(void *data, int64_t number);
    void *data;
    int64_t number;
} job;

static void *work(void *argument)
{
    job *mine = argument;
    mine->task(mine->data, mine->number);
    return NULL;
}

/* One thread for each task, the last one first. */
static void parallel_for(void *context, void (*task)(void *data, int64_t number), void *data,
                         int64_t count)
{
    counts *total = context;
    pthread_t threads[MOST];
    job jobs[MOST];
    total->regions++;
    total->tasks += (long)count;
    for (int64_t i = count; i-- > 0;) {
        jobs[i].task = task, jobs[i].data = data, jobs[i].number = i;
        if (pthread_create(&threads[i], NULL, work, &jobs[i]))
            abort();
    }
    for (int64_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const int64_t batch = BATCH;
    size_t elements = NET_OUTPUT_0_ELEMENTS(BATCH), size = net_workspace_size(BATCH);
    float *x = malloc(NET_INPUT_0_ELEMENTS(BATCH) * sizeof *x);
    float *expected = malloc(elements * sizeof *expected), *y = malloc(elements * sizeof *y);
    void *workspace = aligned_alloc(KERAC_WORKSPACE_ALIGNMENT,
                                    (size / KERAC_WORKSPACE_ALIGNMENT + 1) * KERAC_WORKSPACE_ALIGNMENT);
    const void *inputs[] = {x};
    void *outputs[] = {expected};
    for (int64_t i = 0; i < NET_INPUT_0_ELEMENTS(BATCH); i++)
        x[i] = (float)(i * 37 % 101) / 50 - 1;
    if (net_run(inputs, outputs, BATCH, workspace))
        return 1;
    outputs[0] = y;
    for (int64_t threads = 1; threads <= MOST; threads++) {
        counts total = {0, 0};
        kerac_parallel parallel = {threads, parallel_for, &total};
        memset(y, 0, elements * sizeof *y);
        if (net_info()->run(inputs, outputs, &batch, workspace, &parallel))
            return 2;
        if (memcmp(y, expected, elements * sizeof *y))
            return 3;
        printf("%ld %ld\n", total.regions, total.tasks);
    }
    return 0;
}
