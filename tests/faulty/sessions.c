/* Our session handles: never used twice, and invalid as soon as their generation is over. */
#include <pthread.h>

#include "faulty.h"

/* A handle is a serial number, four bits of slot and twelve of place in the table. */
enum { MAX_SESSIONS = 4096, PLACE_BITS = 12, SLOT_BITS = 4 };
_Static_assert(MAX_SLOTS <= 1 << SLOT_BITS, "a slot fits into a handle");

static struct session sessions[MAX_SESSIONS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool over(const struct session *session)
{
    return session->generation != control->slots[session->slot].state.sessions;
}

unsigned session_slot(CK_SESSION_HANDLE handle)
{
    return (unsigned)((handle >> PLACE_BITS) % (1 << SLOT_BITS) % control->slot_count);
}

struct session *session_enter(CK_SESSION_HANDLE handle)
{
    struct session *session = &sessions[handle % MAX_SESSIONS];
    return handle && session->handle == handle ? session : NULL;
}

bool session_alive(const struct session *session, CK_SESSION_HANDLE handle)
{
    return session && session->handle == handle && !over(session);
}

static void close_inner(struct session *session)
{
    session->handle = 0;
    inner->C_CloseSession(session->inner);
}

/* The inner sessions of those that were declared invalid are still open. */
static void reap(void)
{
    for (struct session *session = sessions; session < sessions + MAX_SESSIONS; session++)
        if (session->handle && over(session) && session->users == 0)
            close_inner(session);
}

static struct session *free_place(void)
{
    for (struct session *session = sessions; session < sessions + MAX_SESSIONS; session++)
        if (!session->handle && session->users == 0)
            return session;
    return NULL;
}

static CK_RV fill(struct session *session, unsigned slot, CK_FLAGS flags)
{
    static CK_SESSION_HANDLE serial;
    CK_SLOT_ID inner_slot;
    CK_RV rv = session ? token_slot(&inner_slot) : CKR_SESSION_COUNT;
    uint64_t generation = control->slots[slot].state.sessions;
    if (rv == CKR_OK)
        rv = inner->C_OpenSession(inner_slot, flags, NULL, NULL, &session->inner);
    if (rv != CKR_OK)
        return rv;
    session->slot = slot;
    session->generation = generation;
    session->deferred = (struct deferred){0};
    session->handle = (++serial << SLOT_BITS | slot) << PLACE_BITS | (CK_ULONG)(session - sessions);
    return CKR_OK;
}

CK_RV session_open(unsigned slot, CK_FLAGS flags, CK_SESSION_HANDLE *handle)
{
    CK_RV rv = appliance_admit(slot);
    if (rv != CKR_OK) {
        control->slots[slot].counters.faults[FN_C_OpenSession]++;
        return rv;
    }
    pthread_mutex_lock(&lock);
    reap();
    struct session *session = free_place();
    rv = fill(session, slot, flags);
    if (rv == CKR_OK)
        *handle = session->handle;
    else
        appliance_leave(slot);
    pthread_mutex_unlock(&lock);
    return rv;
}

static bool any_open(unsigned slot)
{
    for (struct session *session = sessions; session < sessions + MAX_SESSIONS; session++)
        if (session->handle && session->slot == slot && !over(session))
            return true;
    return false;
}

static void close_one(struct session *session)
{
    close_inner(session);
    appliance_leave(session->slot);
    if (!any_open(session->slot)) /* PKCS#11 v2.40, section 5.6: C_CloseSession */
        token_logout(session->slot);
}

CK_RV session_close(struct session *session)
{
    pthread_mutex_lock(&lock);
    bool open = session->handle != 0;
    if (open)
        close_one(session);
    pthread_mutex_unlock(&lock);
    return open ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}

void sessions_close_all(unsigned slot)
{
    pthread_mutex_lock(&lock);
    for (struct session *session = sessions; session < sessions + MAX_SESSIONS; session++)
        if (session->handle && session->slot == slot && !over(session))
            close_one(session);
    pthread_mutex_unlock(&lock);
}

/* C_Finalize: the inner module closes its sessions itself. */
void sessions_forget(void)
{
    pthread_mutex_lock(&lock);
    for (struct session *session = sessions; session < sessions + MAX_SESSIONS; session++) {
        if (session->handle && !over(session))
            appliance_leave(session->slot);
        session->handle = 0;
    }
    pthread_mutex_unlock(&lock);
}
