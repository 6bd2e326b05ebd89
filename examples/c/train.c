/* Train a network on a device, with a trainer that kerac compiled; needs nothing but the C library.
 *
 *     train IMAGES LABELS [STATE]
 *
 * The network has learned digits of light ink, but the device sees dark ink on paper. IMAGES holds
 * raw float32 pixels of light ink, 8 * 8 for each image, LABELS one raw int32 for each. The program
 * inverts them, learns from two thirds, and prints how many of the others it reads before and after.
 * With STATE, a file that need not exist, it begins where the last run stopped.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "trainer.h"

enum {
    PIXELS = TRAINER_X_0_ELEMENTS(1), /* of a batch of one image */
    BATCH = 32,
    MOST = 4096, /* images */
    EPOCHS = 30
};

static float pixels[MOST][PIXELS], shown[BATCH][PIXELS];
static int32_t labels[MOST], wanted[BATCH];

static int fail(const char *what, const char *which)
{
    fprintf(stderr, "train: %s%s\n", what, which);
    return EXIT_FAILURE;
}

/* Every third image is left to test what was learned from the others. */
static int is_test(long image)
{
    return image % 3 == 2;
}

/* All images of one kind in batches, forwards or in an order that differs between epochs; returns
 * the share of digits that were read right, or -1 after a failure. */
static float pass(void *trainer, long images, int test, unsigned epoch)
{
    const void *const x[] = {shown}, *const y[] = {wanted};
    float records[TRAINER_RECORDS] = {0};
    int64_t count = 0;
    long place = (long)epoch * 7919 % images;

    trainer_reset_metrics(trainer);
    for (long i = 0; i < images; i++, place = (place + 1) % images) {
        int code = KERAC_OK;
        if (is_test(place) == test) {
            for (int k = 0; k < PIXELS; k++)
                shown[count][k] = 1.0f - pixels[place][k];
            wanted[count++] = labels[place];
        }
        if (count == BATCH || (i == images - 1 && count > 0)) {
            code = test ? trainer_evaluate(trainer, x, y, NULL, count, records)
                        : trainer_train(trainer, x, y, NULL, count, records);
            count = 0;
        }
        if (code != KERAC_OK)
            return -1;
    }
    return records[TRAINER_RECORD_ACCURACY];
}

/* Read or write all state as one file; returns whether that worked. */
static int keep(void *trainer, const char *path, int write)
{
    size_t size = trainer_state_size();
    void *state = malloc(size);
    FILE *file = state ? fopen(path, write ? "wb" : "rb") : NULL;
    int done = 0;
    if (file && write)
        done = trainer_save(trainer, state) == KERAC_OK && fwrite(state, size, 1, file) == 1;
    else if (file)
        done = fread(state, size, 1, file) == 1 &&
               trainer_restore(trainer, state, size) == KERAC_OK;
    if (file)
        done = fclose(file) == 0 && done;
    free(state);
    return done;
}

int main(int argc, char **argv)
{
    FILE *file;
    long images;
    size_t size = trainer_size(BATCH);
    float before, after;
    /* the block that is the trainer: all its state and all memory that it works in */
    void *trainer = aligned_alloc(KERAC_WORKSPACE_ALIGNMENT, size);

    if (argc < 3 || argc > 4)
        return fail("usage: train IMAGES LABELS [STATE]", "");
    if (!trainer || trainer_init(trainer, BATCH) != KERAC_OK)
        return fail("out of memory", "");
    if (!(file = fopen(argv[1], "rb")))
        return fail("cannot read ", argv[1]);
    images = (long)fread(pixels, sizeof *pixels, MOST, file);
    fclose(file);
    if (!(file = fopen(argv[2], "rb")) || fread(labels, sizeof *labels, MOST, file) < (size_t)images)
        return fail("too few labels in ", argv[2]);
    fclose(file);
    if (images < 3)
        return fail("too few images in ", argv[1]);

    if (argc == 4 && (file = fopen(argv[3], "rb"))) {
        fclose(file);
        if (!keep(trainer, argv[3], 0))
            return fail("holds no state of this trainer: ", argv[3]);
    }
    before = pass(trainer, images, 1, 0);
    after = before;
    for (unsigned epoch = 0; epoch < EPOCHS && after >= 0; epoch++)
        after = pass(trainer, images, 0, epoch);
    after = after < 0 ? after : pass(trainer, images, 1, 0);
    if (before < 0 || after < 0)
        return fail("a step did not run", "");
    if (argc == 4 && !keep(trainer, argv[3], 1))
        return fail("cannot write ", argv[3]);
    free(trainer);
    printf("%.1f%% right before, %.1f%% after %d epochs\n", 100 * before, 100 * after, EPOCHS);
    return EXIT_SUCCESS;
}
