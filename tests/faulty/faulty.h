/* The parts of the module, and what each does for a call. */
#ifndef FAULTY_H
#define FAULTY_H

#include <stdbool.h>
#include <stddef.h>

#include "control.h"
#include "pkcs11.h"

#define SPECIAL(name, ...) FN_##name,
#define SLOT(name, ...) FN_##name,
#define SESSION(name, ...) FN_##name,
enum function {
#include "functions.h"
    FN_COUNT
};
#undef SPECIAL
#undef SLOT
#undef SESSION
_Static_assert((int)FN_COUNT == (int)FUNCTIONS, "the table and the control file differ");

enum trait {
    ENDS = 1,    /* success ends the operation */
    USER = 2,    /* needs a login */
    ENGINE = 4,  /* keeps an engine of the appliance busy */
    NO_RULE = 8, /* rules do not see it: C_Sign asked for a size only */
};

enum { MAX_PARAMETER = 64 };

/* A C_SignInit that the inner module has not seen, because C_Sign may find its answer cached. */
struct deferred {
    bool active;
    bool forwarded;
    CK_OBJECT_HANDLE key; /* the inner one */
    CK_MECHANISM mechanism;
    CK_BYTE parameter[MAX_PARAMETER];
};

struct session {
    _Atomic CK_SESSION_HANDLE handle; /* ours; 0: free as soon as nobody uses it */
    CK_SESSION_HANDLE inner;
    unsigned slot;
    uint64_t generation;
    atomic_int users;
    struct deferred deferred;
};

/* What the rules want of a call. */
struct fault {
    CK_RV code;
    bool dirty;
    enum damage damage;
};

struct call {
    enum function function;
    unsigned traits;
    unsigned slot;
    CK_SESSION_HANDLE handle;
    struct session *session;
    CK_ULONG inner; /* session or slot */
    struct fault fault;
    uint64_t reply_at;
    CK_RV rv;
};

extern struct control *control;
extern CK_FUNCTION_LIST *inner;

/* setup.c: the inner module and the control file, once a process. */
bool setup(void);

/* call.c: what happens before and after the inner module is called. The begin functions say
 * whether to call it; finish returns the answer. */
bool begin(struct call *call, enum function function, unsigned slot);
bool begin_slot(struct call *call, enum function function, CK_SLOT_ID slot);
bool begin_session(struct call *call, enum function function, CK_SESSION_HANDLE handle,
                   unsigned traits);
CK_RV finish(struct call *call);
void count_fault(const struct call *call);

/* rules.c: also waits where a rule says so. */
struct fault rules_apply(enum function function, unsigned slot);
uint64_t draw(void);

/* appliance.c: a network and engines; times are of CLOCK_MONOTONIC, in nanoseconds. */
uint64_t monotonic(void);
void sleep_until(uint64_t time);
uint64_t appliance_reply_time(unsigned slot, bool engine);
CK_RV appliance_admit(unsigned slot);
void appliance_leave(unsigned slot);

/* sessions.c */
struct session *session_enter(CK_SESSION_HANDLE handle);
unsigned session_slot(CK_SESSION_HANDLE handle);
bool session_alive(const struct session *session, CK_SESSION_HANDLE handle);
CK_RV session_open(unsigned slot, CK_FLAGS flags, CK_SESSION_HANDLE *handle);
CK_RV session_close(struct session *session);
void sessions_close_all(unsigned slot);
void sessions_forget(void);

/* objects.c */
CK_OBJECT_HANDLE object_in(struct call *call, CK_OBJECT_HANDLE handle);
void object_out(const struct call *call, CK_OBJECT_HANDLE *handle);
CK_RV objects_find(struct call *call, CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *count);

/* token.c: the one inner token, and who is logged in. */
void token_begin(void);
void token_end(void);
bool token_initialized(void);
CK_RV token_slot(CK_SLOT_ID *slot);
bool token_logged_in(unsigned slot);
CK_RV token_login(struct call *call, CK_ULONG user, CK_BYTE *pin, CK_ULONG size);
void token_logout(unsigned slot);
void token_remember_pin(const CK_BYTE *pin, CK_ULONG size);
uint64_t token_object_generation(unsigned slot);
CK_OBJECT_HANDLE token_other_key(CK_OBJECT_HANDLE key);

/* signing.c */
CK_RV sign_init(struct call *call, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
CK_RV sign(struct call *call, CK_BYTE *in, CK_ULONG size, CK_BYTE *out, CK_ULONG *room);

/* cache.c: signatures made before. */
bool cache_find(const struct deferred *by, const CK_BYTE *in, CK_ULONG size, CK_BYTE *out,
                CK_ULONG *length);
void cache_store(const struct deferred *by, const CK_BYTE *in, CK_ULONG size, const CK_BYTE *out,
                 CK_ULONG length);
void cache_clear(void);

#endif
