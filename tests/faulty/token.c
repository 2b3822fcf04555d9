/* The inner token, which every slot shows, and who is logged in to each slot.
 *
 * The inner token is logged in once and stays so, held by a session of our own; a slot's
 * login, its loss and its end are simulated. So faults of one slot do not touch another.
 */
#include <pthread.h>
#include <string.h>

#include "faulty.h"

enum { MAX_PIN = 256, MAX_TOKENS = 64, MAX_FOUND = 64, MAX_CURVE = 32, LABEL = 32 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static number initialized;        /* 1 + the generation in which C_Initialize was called */
static bool found;
static CK_SLOT_ID inner_slot;
static CK_SESSION_HANDLE anchor;
static CK_BYTE known_pin[MAX_PIN];
static CK_ULONG known_size;       /* 0: not logged in to the inner token */
static number logins[MAX_SLOTS];  /* 1 + the generation of the login */
static number logouts[MAX_SLOTS]; /* of this process; they end handles, too */

void token_begin(void)
{
    initialized = control->initialization + 1;
}

void token_end(void)
{
    pthread_mutex_lock(&lock);
    initialized = 0;
    found = false;
    anchor = 0;
    known_size = 0;
    for (unsigned slot = 0; slot < MAX_SLOTS; slot++)
        token_logout(slot);
    pthread_mutex_unlock(&lock);
}

bool token_initialized(void)
{
    return initialized == control->initialization + 1;
}

static bool is_wanted(CK_SLOT_ID slot)
{
    CK_TOKEN_INFO info;
    if (inner->C_GetTokenInfo(slot, &info) != CKR_OK)
        return false;
    return control->label[0] ? !memcmp(info.label, control->label, LABEL)
                             : !!(info.flags & CKF_TOKEN_INITIALIZED);
}

static CK_RV find(void)
{
    CK_SLOT_ID slots[MAX_TOKENS];
    CK_ULONG count = MAX_TOKENS;
    CK_RV rv = inner->C_GetSlotList(1, slots, &count);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count && !found; i++) {
        found = is_wanted(slots[i]);
        inner_slot = slots[i];
    }
    return rv == CKR_OK && !found ? CKR_TOKEN_NOT_PRESENT : rv;
}

CK_RV token_slot(CK_SLOT_ID *slot)
{
    pthread_mutex_lock(&lock);
    CK_RV rv = found ? CKR_OK : find();
    *slot = inner_slot;
    pthread_mutex_unlock(&lock);
    return rv;
}

bool token_logged_in(unsigned slot)
{
    return logins[slot] == control->slots[slot].state.logins + 1;
}

void token_logout(unsigned slot)
{
    if (logins[slot])
        logouts[slot]++;
    logins[slot] = 0;
}

/* Both only grow, so a sum never comes back. */
uint64_t token_object_generation(unsigned slot)
{
    return (control->slots[slot].state.objects + logouts[slot]) & 0x7FFFFFFF;
}

static void remember_pin(const CK_BYTE *pin, CK_ULONG size)
{
    known_size = size;
    memcpy(known_pin, pin, size);
}

void token_remember_pin(const CK_BYTE *pin, CK_ULONG size)
{
    pthread_mutex_lock(&lock);
    if (known_size && size <= MAX_PIN)
        remember_pin(pin, size);
    pthread_mutex_unlock(&lock);
}

static CK_RV inner_login(CK_BYTE *pin, CK_ULONG size)
{
    if (known_size)
        return size == known_size && !memcmp(pin, known_pin, size) ? CKR_OK : CKR_PIN_INCORRECT;
    if (!pin || size == 0 || size > MAX_PIN)
        return CKR_PIN_INCORRECT;
    CK_RV rv = CKR_OK;
    if (!anchor)
        rv = inner->C_OpenSession(inner_slot, CKF_SERIAL_SESSION, NULL, NULL, &anchor);
    if (rv == CKR_OK)
        rv = inner->C_Login(anchor, CKU_USER, pin, size);
    if (rv == CKR_OK)
        remember_pin(pin, size);
    return rv;
}

CK_RV token_login(struct call *call, CK_ULONG user, CK_BYTE *pin, CK_ULONG size)
{
    if (user != CKU_USER)
        return inner->C_Login(call->inner, user, pin, size);
    if (token_logged_in(call->slot))
        return CKR_USER_ALREADY_LOGGED_IN;
    uint64_t generation = control->slots[call->slot].state.logins;
    pthread_mutex_lock(&lock);
    CK_RV rv = inner_login(pin, size);
    pthread_mutex_unlock(&lock);
    if (rv == CKR_OK)
        logins[call->slot] = generation + 1;
    return rv;
}

/* Finds what is of one kind with `key`, and returns the next after it, or nothing. */
static CK_OBJECT_HANDLE next_of(CK_OBJECT_HANDLE key, CK_ATTRIBUTE *kind, CK_ULONG count)
{
    CK_OBJECT_HANDLE keys[MAX_FOUND];
    CK_ULONG total = 0, place = 0;
    if (inner->C_FindObjectsInit(anchor, kind, count) != CKR_OK)
        return CK_UNAVAILABLE_HANDLE;
    inner->C_FindObjects(anchor, keys, MAX_FOUND, &total);
    inner->C_FindObjectsFinal(anchor);
    while (place < total && keys[place] != key)
        place++;
    return total < 2 ? CK_UNAVAILABLE_HANDLE : keys[(place + 1) % total];
}

CK_OBJECT_HANDLE token_other_key(CK_OBJECT_HANDLE key)
{
    CK_ULONG object_class, key_type;
    CK_BYTE curve[MAX_CURVE];
    CK_ATTRIBUTE kind[] = {{CKA_CLASS, &object_class, sizeof object_class},
                           {CKA_KEY_TYPE, &key_type, sizeof key_type},
                           {CKA_EC_PARAMS, curve, sizeof curve}};
    pthread_mutex_lock(&lock);
    inner->C_GetAttributeValue(anchor, key, kind, 3);
    bool has_curve = kind[2].length <= MAX_CURVE; /* else it says: unavailable */
    CK_OBJECT_HANDLE other = next_of(key, kind, has_curve ? 3 : 2);
    pthread_mutex_unlock(&lock);
    return other;
}
