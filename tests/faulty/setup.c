/* Loads the inner module and maps the control file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faulty.h"

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

struct control *control;
CK_FUNCTION_LIST *inner;

/* Without a control file the module only forwards. */
static struct control none = {
    .version = CONTROL_VERSION, .size = sizeof none, .slot_count = 1};

static bool refused(const char *what, const char *why)
{
    fprintf(stderr, "faulty: %s: %s\n", what, why);
    return false;
}

static bool map_control(const char *path)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0 || status.st_size != (off_t)sizeof *control)
        return refused(path, "not a control file of this version");
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (control == MAP_FAILED || control->version != CONTROL_VERSION ||
        control->size != sizeof *control || control->slot_count - 1 >= MAX_SLOTS)
        return refused(path, "not a control file of this version");
    return true;
}

static bool load_inner(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return refused(path, dlerror());
    CK_RV (*get)(CK_FUNCTION_LIST **);
    *(void **)&get = dlsym(library, "C_GetFunctionList");
    if (!get || get(&inner) != CKR_OK)
        return refused(path, "not a PKCS#11 module");
    return true;
}

static bool ready;

static void set_up(void)
{
    const char *module = getenv("FAULTY_MODULE");
    const char *path = getenv("FAULTY_CONTROL");
    control = &none;
    ready = (!path || map_control(path)) && load_inner(module ? module : SOFTHSM);
}

bool setup(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up);
    return ready;
}
