/* Signing: the cache and the spoiling of signatures. */
#include <string.h>

#include "faulty.h"

enum { UNSEEN_ROOM = 4096 };

static bool may_defer(const struct call *call, const CK_MECHANISM *mechanism)
{
    return control->slots[call->slot].settings.cached && mechanism &&
           mechanism->length <= MAX_PARAMETER;
}

CK_RV sign_init(struct call *call, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle)
{
    CK_OBJECT_HANDLE key = object_in(call, handle);
    struct deferred *deferred = &call->session->deferred;
    if (deferred->active)
        return CKR_OPERATION_ACTIVE;
    if (!key || !may_defer(call, mechanism))
        return inner->C_SignInit(call->inner, mechanism, key);
    *deferred = (struct deferred){.active = true, .key = key, .mechanism = *mechanism};
    if (mechanism->length)
        memcpy(deferred->parameter, mechanism->parameter, mechanism->length);
    deferred->mechanism.parameter = mechanism->length ? deferred->parameter : NULL;
    return CKR_OK;
}

/* PKCS#11 v2.40, section 5.2: how a function returns what has a variable length. */
static CK_RV give(const CK_BYTE *signature, CK_ULONG length, CK_BYTE *out, CK_ULONG *room)
{
    bool fits = *room >= length;
    *room = length;
    if (!out)
        return CKR_OK;
    if (!fits)
        return CKR_BUFFER_TOO_SMALL;
    memcpy(out, signature, length);
    return CKR_OK;
}

static bool goes_on(CK_RV rv, const CK_BYTE *out)
{
    return rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && !out);
}

static CK_RV compute(struct call *call, CK_BYTE *in, CK_ULONG size, CK_BYTE *out, CK_ULONG *room)
{
    struct deferred *deferred = &call->session->deferred;
    CK_RV rv = CKR_OK;
    if (!deferred->forwarded)
        rv = inner->C_SignInit(call->inner, &deferred->mechanism, deferred->key);
    deferred->forwarded = true;
    if (rv == CKR_OK)
        rv = inner->C_Sign(call->inner, in, size, out, room);
    if (rv == CKR_OK && out)
        cache_store(deferred, in, size, out, *room);
    return rv;
}

static CK_RV sign_deferred(struct call *call, CK_BYTE *in, CK_ULONG size, CK_BYTE *out,
                           CK_ULONG *room)
{
    CK_BYTE known[UNSEEN_ROOM];
    CK_ULONG length;
    struct deferred *deferred = &call->session->deferred;
    bool hit = !deferred->forwarded && cache_find(deferred, in, size, known, &length);
    CK_RV rv = hit ? give(known, length, out, room) : compute(call, in, size, out, room);
    deferred->active = goes_on(rv, out);
    return rv;
}

static void spoil(enum damage damage, CK_BYTE *signature, CK_ULONG *length)
{
    uint64_t bit = draw() % (8 * *length);
    if (damage == DAMAGE_FLIPPED_BIT)
        signature[bit / 8] ^= (CK_BYTE)(1 << bit % 8);
    if (damage == DAMAGE_TRUNCATED)
        --*length;
}

CK_RV sign(struct call *call, CK_BYTE *in, CK_ULONG size, CK_BYTE *out, CK_ULONG *room)
{
    CK_BYTE unseen[UNSEEN_ROOM];
    CK_ULONG unseen_room = sizeof unseen;
    if (call->fault.code) { /* the operation ends, its caller gets no signature */
        out = unseen;
        room = &unseen_room;
    }
    CK_RV rv = call->session->deferred.active ? sign_deferred(call, in, size, out, room)
                                              : inner->C_Sign(call->inner, in, size, out, room);
    if (rv == CKR_OK && out && call->fault.damage)
        spoil(call->fault.damage, out, room);
    return rv;
}
