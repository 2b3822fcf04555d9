/* How many signatures a second a plain C loop gets from a PKCS#11 module.
 *
 * loop MODULE TOKEN PIN_FILE KEY_LABEL THREADS SECONDS [MECHANISM LENGTH [PARAMETER ...]]
 *
 * Each thread has a session of its own and does C_SignInit and C_Sign over LENGTH bytes that
 * stay the same. MECHANISM is a number and the parameters are the fields of a struct of
 * CK_ULONGs; without them it is ECDSA over 32 bytes. Prints the number of signatures a
 * second; any other answer than CKR_OK ends it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pkcs11.h"

enum { MAX_THREADS = 1024, MAX_TOKENS = 64, MAX_PIN = 256, LABEL = 32, ROOM = 1024 };
enum { GIVEN = 7, MAX_PARAMETERS = 8 };

static CK_FUNCTION_LIST *module;
static CK_OBJECT_HANDLE key;
static CK_ULONG parameters[MAX_PARAMETERS];
static CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
static CK_ULONG length = 32;
static atomic_bool stop;

static void die(const char *what, CK_RV rv)
{
    fprintf(stderr, "loop: %s: 0x%lx\n", what, rv);
    exit(1);
}

static void check(const char *what, CK_RV rv)
{
    if (rv != CKR_OK)
        die(what, rv);
}

static void load(const char *path)
{
    CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
    void *library = dlopen(path, RTLD_NOW);
    if (library)
        *(void **)&get = dlsym(library, "C_GetFunctionList");
    if (!get)
        die(path, CKR_GENERAL_ERROR);
    check("C_GetFunctionList", get(&module));
    CK_INITIALIZE_ARGS threads = {.flags = CKF_OS_LOCKING_OK};
    check("C_Initialize", module->C_Initialize(&threads));
}

static CK_SLOT_ID slot_of(const char *token)
{
    CK_SLOT_ID slots[MAX_TOKENS];
    CK_ULONG count = MAX_TOKENS;
    CK_TOKEN_INFO info;
    char label[LABEL + 1];
    snprintf(label, sizeof label, "%-32s", token);
    check("C_GetSlotList", module->C_GetSlotList(1, slots, &count));
    for (CK_ULONG i = 0; i < count; i++)
        if (module->C_GetTokenInfo(slots[i], &info) == CKR_OK && !memcmp(info.label, label, LABEL))
            return slots[i];
    die(token, CKR_TOKEN_NOT_PRESENT);
    return 0;
}

static CK_SESSION_HANDLE open_session(CK_SLOT_ID slot)
{
    CK_SESSION_HANDLE session;
    check("C_OpenSession",
          module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
    return session;
}

static void log_in(CK_SESSION_HANDLE session, const char *pin_file)
{
    char pin[MAX_PIN] = "";
    FILE *file = fopen(pin_file, "r");
    if (!file || !fgets(pin, sizeof pin, file))
        die(pin_file, CKR_PIN_INCORRECT);
    fclose(file);
    pin[strcspn(pin, "\n")] = 0;
    check("C_Login", module->C_Login(session, CKU_USER, (CK_BYTE *)pin, strlen(pin)));
}

static CK_OBJECT_HANDLE key_of(CK_SESSION_HANDLE session, char *label)
{
    CK_ULONG private_key = CKO_PRIVATE_KEY, count;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &private_key, sizeof private_key},
                             {CKA_LABEL, label, strlen(label)}};
    CK_OBJECT_HANDLE found;
    check("C_FindObjectsInit", module->C_FindObjectsInit(session, wanted, 2));
    check("C_FindObjects", module->C_FindObjects(session, &found, 1, &count));
    check("C_FindObjectsFinal", module->C_FindObjectsFinal(session));
    return count == 1 ? found : (die(label, CKR_GENERAL_ERROR), CK_UNAVAILABLE_HANDLE);
}

static void *run(void *argument)
{
    CK_SESSION_HANDLE session = (CK_SESSION_HANDLE)argument;
    CK_BYTE data[ROOM] = {1}, signature[ROOM];
    CK_ULONG count = 0;
    for (; !stop; count++) {
        CK_ULONG room = sizeof signature;
        check("C_SignInit", module->C_SignInit(session, &mechanism, key));
        check("C_Sign", module->C_Sign(session, data, length, signature, &room));
    }
    return (void *)count;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double rate(const CK_SESSION_HANDLE *sessions, long threads, double duration)
{
    pthread_t running[MAX_THREADS];
    double begin = seconds();
    CK_ULONG total = 0;
    for (long i = 0; i < threads; i++)
        check("pthread_create",
              (CK_RV)pthread_create(&running[i], NULL, run, (void *)sessions[i]));
    struct timespec pause = {(time_t)duration, (long)((duration - (time_t)duration) * 1e9)};
    nanosleep(&pause, NULL);
    stop = true;
    for (long i = 0; i < threads; i++) {
        void *count;
        pthread_join(running[i], &count);
        total += (CK_ULONG)count;
    }
    return (double)total / (seconds() - begin);
}

static bool choose(int count, char **arguments)
{
    if (count == 0)
        return true;
    if (count < 2 || count > 2 + MAX_PARAMETERS)
        return false;
    mechanism.mechanism = strtoul(arguments[0], NULL, 10);
    length = strtoul(arguments[1], NULL, 10);
    for (int i = 2; i < count; i++)
        parameters[i - 2] = strtoul(arguments[i], NULL, 10);
    if (count > 2) {
        mechanism.parameter = parameters;
        mechanism.length = (CK_ULONG)(count - 2) * sizeof *parameters;
    }
    return length >= 1 && length <= ROOM;
}

int main(int count, char **arguments)
{
    long threads = count >= GIVEN ? strtol(arguments[5], NULL, 10) : 0;
    if (threads < 1 || threads > MAX_THREADS || !choose(count - GIVEN, arguments + GIVEN)) {
        fprintf(stderr, "usage: loop MODULE TOKEN PIN_FILE KEY_LABEL THREADS SECONDS"
                        " [MECHANISM LENGTH [PARAMETER ...]]\n");
        return 2;
    }
    load(arguments[1]);
    CK_SLOT_ID slot = slot_of(arguments[2]);
    CK_SESSION_HANDLE sessions[MAX_THREADS];
    for (long i = 0; i < threads; i++)
        sessions[i] = open_session(slot);
    log_in(sessions[0], arguments[3]);
    key = key_of(sessions[0], arguments[4]);
    printf("%.0f\n", rate(sessions, threads, strtod(arguments[6], NULL)));
    check("C_Finalize", module->C_Finalize(NULL));
    return 0;
}
