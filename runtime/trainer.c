/* What a trainer is beside its graphs: their state, in a block of the caller's, and what acts on it.
 *
 * tables.h, made for one model, names the functions and says where everything lies. A block is
 *     head | state | records nobody wants | weights of 1 | workspace
 * and holds no pointer into itself.
 */
#include <string.h>

#include "tables.h"

#define ALIGNMENT KERAC_WORKSPACE_ALIGNMENT
#define HEAD_BYTES ALIGNMENT
#define RECORDS_START (HEAD_BYTES + STATE_BYTES)
#define ONES_START (RECORDS_START + ALIGNED(RECORDS * sizeof(float)))
#define ALIGNED(bytes) (((size_t)(bytes) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

typedef struct {
    uint64_t layout; /* LAYOUT, once the block is in use */
    int64_t largest_batch;
    kerac_parallel parallel;
} head_of_block;

typedef char the_head_fits[sizeof(head_of_block) <= HEAD_BYTES ? 1 : -1];

typedef struct {
    uint64_t layout;
    uint64_t size;
} head_of_save;

static size_t ones_bytes(int64_t batch)
{
    return SAMPLE_WEIGHTS ? ALIGNED((size_t)batch * sizeof(float)) : 0;
}

static unsigned char *state_of(const void *trainer)
{
    return (unsigned char *)trainer + HEAD_BYTES;
}

static int check(const void *trainer)
{
    if (!trainer)
        return KERAC_NULL_POINTER;
    if ((uintptr_t)trainer % ALIGNMENT)
        return KERAC_WORKSPACE_NOT_ALIGNED;
    return ((const head_of_block *)trainer)->layout == LAYOUT ? KERAC_OK : KERAC_NOT_INITIALIZED;
}

static int check_number(const void *trainer, int64_t number)
{
    int code = check(trainer);
    if (code == KERAC_OK && (number < 0 || number >= VARIABLES))
        code = KERAC_NO_SUCH_VARIABLE;
    return code;
}

size_t FUNCTION(size)(int64_t largest_batch)
{
    size_t workspace = 0;
    if (largest_batch < 1)
        return 0;
    for (int i = 0; i < GRAPHS; i++) {
        size_t needed = graphs[i].info()->workspace_size(&largest_batch);
        workspace = needed > workspace ? needed : workspace;
    }
    return ONES_START + ones_bytes(largest_batch) + ALIGNED(workspace);
}

int FUNCTION(init)(void *trainer, int64_t largest_batch)
{
    head_of_block *head = trainer;
    float *ones;
    if (!trainer)
        return KERAC_NULL_POINTER;
    if ((uintptr_t)trainer % ALIGNMENT)
        return KERAC_WORKSPACE_NOT_ALIGNED;
    if (largest_batch < 1)
        return KERAC_DIM_NOT_POSITIVE;
    memset(head, 0, sizeof *head);
    head->layout = LAYOUT;
    head->largest_batch = largest_batch;
    head->parallel.threads = 1;
    memcpy(state_of(trainer), initial_state, STATE_BYTES);
    ones = (float *)(void *)((unsigned char *)trainer + ONES_START);
    for (int64_t i = 0; SAMPLE_WEIGHTS && i < largest_batch; i++)
        ones[i] = 1.0f;
    return KERAC_OK;
}

/* The inputs of a graph: x, labels, weights of samples and the key where it has them, state. */
static void gather(void *trainer, const graph_of_trainer *graph, const void *const *x,
                   const void *const *y, const float *const *weights, const void **inputs)
{
    unsigned char *state = state_of(trainer);
    const void *ones = (unsigned char *)trainer + ONES_START;
    for (int i = 0; i < X_COUNT; i++)
        *inputs++ = x[i];
    for (int i = 0; graph->takes_labels && i < Y_COUNT; i++)
        *inputs++ = y[i];
    for (int i = 0; graph->takes_labels && i < SAMPLE_WEIGHTS; i++)
        *inputs++ = weights && weights[i] ? (const void *)weights[i] : ones;
    if (graph->takes_key)
        *inputs++ = state + KEY_OFFSET;
    for (int i = 0; i < graph->state_count; i++)
        *inputs++ = state + offsets[graph->state[i]];
}

static int run(void *trainer, const graph_of_trainer *graph, const void *const *x,
               const void *const *y, const float *const *weights, int64_t batch, void **outputs)
{
    const head_of_block *head = trainer;
    const void *inputs[MOST_INPUTS];
    void *workspace;
    if (!x || (graph->takes_labels && Y_COUNT && !y))
        return KERAC_NULL_POINTER;
    if (batch > head->largest_batch)
        return KERAC_BATCH_TOO_LARGE;
    gather(trainer, graph, x, y, weights, inputs);
    workspace = (unsigned char *)trainer + ONES_START + ones_bytes(head->largest_batch);
    return graph->info()->run(inputs, outputs, &batch, workspace, &head->parallel);
}

static int step(void *trainer, const graph_of_trainer *graph, const void *const *x,
                const void *const *y, const float *const *weights, int64_t batch, float *records)
{
    void *outputs[MOST_OUTPUTS], **next = outputs;
    int code = check(trainer);
    if (code != KERAC_OK)
        return code;
    if (!records)
        records = (float *)(void *)((unsigned char *)trainer + RECORDS_START);
    for (int i = 0; i < RECORD_COUNT; i++)
        *next++ = records + record_places[i];
    for (int i = 0; i < graph->changed_count; i++)
        *next++ = state_of(trainer) + offsets[graph->changed[i]];
    return run(trainer, graph, x, y, weights, batch, outputs);
}

int FUNCTION(train)(void *trainer, const void *const *x, const void *const *y,
                    const float *const *weights, int64_t batch, float *records)
{
    int code = step(trainer, &graphs[TRAIN], x, y, weights, batch, records);
    if (code == KERAC_OK)
        ((uint32_t *)(void *)(state_of(trainer) + KEY_OFFSET))[1]++;
    return code;
}

int FUNCTION(evaluate)(void *trainer, const void *const *x, const void *const *y,
                       const float *const *weights, int64_t batch, float *records)
{
    return step(trainer, &graphs[EVALUATE], x, y, weights, batch, records);
}

int FUNCTION(predict)(void *trainer, const void *const *x, int64_t batch, void *const *outputs)
{
    void *results[MOST_OUTPUTS];
    int code = check(trainer);
    if (code != KERAC_OK)
        return code;
    if (!outputs)
        return KERAC_NULL_POINTER;
    for (int i = 0; i < OUTPUT_COUNT; i++)
        results[i] = outputs[i];
    return run(trainer, &graphs[PREDICT], x, NULL, NULL, batch, results);
}

int FUNCTION(reset_metrics)(void *trainer)
{
    int code = check(trainer);
    if (code == KERAC_OK)
        memcpy(state_of(trainer) + METRICS_START, initial_state + METRICS_START, METRICS_BYTES);
    return code;
}

int FUNCTION(set_seed)(void *trainer, uint32_t seed)
{
    int code = check(trainer);
    if (code == KERAC_OK) {
        uint32_t key[2] = {0, 0};
        key[0] = seed;
        memcpy(state_of(trainer) + KEY_OFFSET, key, sizeof key);
    }
    return code;
}

int FUNCTION(set_threads)(void *trainer, int64_t threads)
{
    int code = check(trainer);
    if (code == KERAC_OK && threads < 1)
        code = KERAC_DIM_NOT_POSITIVE;
    if (code == KERAC_OK)
        ((head_of_block *)trainer)->parallel.threads = threads;
    return code;
}

int FUNCTION(set_learning_rate)(void *trainer, float rate)
{
    int code = check(trainer);
    if (code == KERAC_OK && RATE < 0)
        code = KERAC_NO_SUCH_VARIABLE;
    if (code == KERAC_OK)
        memcpy(state_of(trainer) + offsets[RATE < 0 ? 0 : RATE], &rate, sizeof rate);
    return code;
}

int64_t FUNCTION(variable_count)(void)
{
    return VARIABLES;
}

const kerac_variable *FUNCTION(variable)(int64_t number)
{
    return number < 0 || number >= VARIABLES ? NULL : &variables[number];
}

int64_t FUNCTION(find)(const char *path)
{
    for (int64_t i = 0; path && i < VARIABLES; i++)
        if (!strcmp(variables[i].path, path))
            return i;
    return -1;
}

int FUNCTION(read)(const void *trainer, int64_t number, void *values)
{
    int code = check_number(trainer, number);
    if (code == KERAC_OK && !values)
        code = KERAC_NULL_POINTER;
    if (code == KERAC_OK)
        memcpy(values, state_of(trainer) + offsets[number], variables[number].bytes);
    return code;
}

int FUNCTION(write)(void *trainer, int64_t number, const void *values)
{
    int code = check_number(trainer, number);
    if (code == KERAC_OK && !values)
        code = KERAC_NULL_POINTER;
    if (code == KERAC_OK)
        memcpy(state_of(trainer) + offsets[number], values, variables[number].bytes);
    return code;
}

size_t FUNCTION(state_size)(void)
{
    return sizeof(head_of_save) + STATE_BYTES;
}

int FUNCTION(save)(const void *trainer, void *buffer)
{
    const head_of_save head = {LAYOUT, STATE_BYTES};
    int code = check(trainer);
    if (code == KERAC_OK && !buffer)
        code = KERAC_NULL_POINTER;
    if (code == KERAC_OK) {
        memcpy(buffer, &head, sizeof head);
        memcpy((unsigned char *)buffer + sizeof head, state_of(trainer), STATE_BYTES);
    }
    return code;
}

int FUNCTION(restore)(void *trainer, const void *buffer, size_t size)
{
    head_of_save head;
    int code = check(trainer);
    if (code == KERAC_OK && !buffer)
        code = KERAC_NULL_POINTER;
    if (code == KERAC_OK && size != sizeof head + STATE_BYTES)
        code = KERAC_STATE_OF_ANOTHER;
    if (code != KERAC_OK)
        return code;
    memcpy(&head, buffer, sizeof head);
    if (head.layout != LAYOUT || head.size != STATE_BYTES)
        return KERAC_STATE_OF_ANOTHER;
    memcpy(state_of(trainer), (const unsigned char *)buffer + sizeof head, STATE_BYTES);
    return KERAC_OK;
}
