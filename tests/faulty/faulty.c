/* A PKCS#11 module that wraps another one and does on demand what real tokens do at times.
 *
 * FAULTY_MODULE is the inner module (SoftHSM if not set), FAULTY_CONTROL the control file of
 * control.h. Slots 0, 1, ... all show the same inner token, each with faults of its own.
 *
 * Build: gcc -std=c11 -shared -fPIC -O2 -pthread, all files here but loop.c, -ldl -lm.
 * Never fork a process that has loaded it.
 */
#include <stdio.h>
#include <string.h>

#include "faulty.h"

static void describe_token(const struct call *call, CK_TOKEN_INFO *info)
{
    struct slot *slot = &control->slots[call->slot];
    char serial[sizeof info->serial + 1];
    snprintf(serial, sizeof serial, "faulty-%-9u", call->slot);
    memcpy(info->serial, serial, sizeof info->serial);
    info->sessions = slot->state.open_sessions;
    if (slot->settings.session_limit)
        info->max_sessions = slot->settings.session_limit;
}

static void describe_session(const struct call *call, CK_SESSION_INFO *info)
{
    info->slot = call->slot;
    if (token_logged_in(call->slot))
        return;
    if (info->state == CKS_RO_USER)
        info->state = CKS_RO_PUBLIC;
    if (info->state == CKS_RW_USER)
        info->state = CKS_RW_PUBLIC;
}

#define IN(handle) object_in(&call, handle)
#define OUT(handle) object_out(&call, handle)
#define SPECIAL(...)
#define SLOT(name, parameters, arguments, after)          \
    static CK_RV name parameters                          \
    {                                                     \
        struct call call;                                 \
        if (begin_slot(&call, FN_##name, slot)) {         \
            call.rv = inner->name arguments;              \
            if (call.rv == CKR_OK) {                      \
                after;                                    \
            }                                             \
        }                                                 \
        return finish(&call);                             \
    }
#define SESSION(name, traits, parameters, arguments, after)       \
    static CK_RV name parameters                                  \
    {                                                             \
        struct call call;                                         \
        if (begin_session(&call, FN_##name, session, traits)) {   \
            call.rv = inner->name arguments;                      \
            if (call.rv == CKR_OK) {                              \
                after;                                            \
            }                                                     \
        }                                                         \
        return finish(&call);                                     \
    }
#include "functions.h"
#undef SPECIAL
#undef SLOT
#undef SESSION

static CK_RV C_Initialize(void *arguments)
{
    struct call call;
    if (begin(&call, FN_C_Initialize, 0)) {
        call.rv = inner->C_Initialize(arguments);
        if (call.rv == CKR_OK)
            token_begin();
    }
    return finish(&call);
}

static CK_RV C_Finalize(void *reserved)
{
    struct call call;
    if (begin(&call, FN_C_Finalize, 0)) {
        sessions_forget();
        cache_clear();
        call.rv = inner->C_Finalize(reserved);
        token_end();
    }
    return finish(&call);
}

static CK_RV C_GetInfo(void *info)
{
    struct call call;
    if (begin(&call, FN_C_GetInfo, 0))
        call.rv = token_initialized() ? inner->C_GetInfo(info) : CKR_CRYPTOKI_NOT_INITIALIZED;
    return finish(&call);
}

static CK_RV list_slots(bool present, CK_SLOT_ID *slots, CK_ULONG *room)
{
    CK_ULONG count = 0;
    bool fits = true;
    if (!token_initialized())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    for (CK_SLOT_ID slot = 0; slot < control->slot_count; slot++) {
        if (present && control->slots[slot].state.absent)
            continue;
        fits = count < *room;
        if (slots && fits)
            slots[count] = slot;
        count++;
    }
    *room = count;
    return slots && !fits ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

static CK_RV C_GetSlotList(CK_BYTE present, CK_SLOT_ID *slots, CK_ULONG *count)
{
    struct call call;
    if (begin(&call, FN_C_GetSlotList, 0))
        call.rv = list_slots(present, slots, count);
    return finish(&call);
}

static CK_RV describe_slot(bool present, CK_SLOT_INFO *info)
{
    CK_SLOT_ID slot;
    CK_RV rv = token_slot(&slot);
    if (rv == CKR_OK)
        rv = inner->C_GetSlotInfo(slot, info);
    if (rv == CKR_OK && !present)
        info->flags &= ~(CK_FLAGS)CKF_TOKEN_PRESENT;
    return rv;
}

static CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    struct call call;
    bool present = begin_slot(&call, FN_C_GetSlotInfo, slot);
    if (present || call.rv == CKR_TOKEN_NOT_PRESENT)
        call.rv = describe_slot(present, info);
    return finish(&call);
}

static CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, void *notify,
                           CK_SESSION_HANDLE *session)
{
    struct call call;
    (void)application, (void)notify; /* nothing calls back */
    if (begin_slot(&call, FN_C_OpenSession, slot))
        call.rv = session_open(call.slot, flags, session);
    return finish(&call);
}

static CK_RV C_CloseSession(CK_SESSION_HANDLE session)
{
    struct call call;
    if (begin_session(&call, FN_C_CloseSession, session, ENDS))
        call.rv = session_close(call.session);
    return finish(&call);
}

static CK_RV C_CloseAllSessions(CK_SLOT_ID slot)
{
    struct call call;
    if (begin_slot(&call, FN_C_CloseAllSessions, slot))
        sessions_close_all(call.slot);
    return finish(&call);
}

static CK_RV C_Login(CK_SESSION_HANDLE session, CK_ULONG user, CK_BYTE *pin, CK_ULONG size)
{
    struct call call;
    if (begin_session(&call, FN_C_Login, session, 0))
        call.rv = token_login(&call, user, pin, size);
    return finish(&call);
}

static CK_RV C_Logout(CK_SESSION_HANDLE session)
{
    struct call call;
    if (begin_session(&call, FN_C_Logout, session, USER))
        token_logout(call.slot);
    return finish(&call);
}

static CK_RV C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room,
                           CK_ULONG *count)
{
    struct call call;
    if (begin_session(&call, FN_C_FindObjects, session, 0))
        call.rv = objects_find(&call, objects, room, count);
    return finish(&call);
}

static CK_RV C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    struct call call;
    if (begin_session(&call, FN_C_SignInit, session, USER))
        call.rv = sign_init(&call, mechanism, key);
    return finish(&call);
}

static CK_RV C_Sign(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG size, CK_BYTE *out,
                    CK_ULONG *room)
{
    struct call call;
    unsigned traits = USER | (out ? ENDS | ENGINE : NO_RULE);
    if (begin_session(&call, FN_C_Sign, session, traits))
        call.rv = sign(&call, in, size, out, room);
    return finish(&call);
}

static CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
    struct call call;
    (void)flags, (void)slot, (void)reserved;
    if (begin(&call, FN_C_WaitForSlotEvent, 0))
        call.rv = CKR_FUNCTION_NOT_SUPPORTED;
    return finish(&call);
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
#define SPECIAL(name, ...) name,
#define SLOT(name, ...) name,
#define SESSION(name, ...) name,
    static CK_FUNCTION_LIST functions = {{2, 40},
#include "functions.h"
    };
#undef SPECIAL
#undef SLOT
#undef SESSION
    *list = &functions;
    return setup() ? CKR_OK : CKR_GENERAL_ERROR;
}
