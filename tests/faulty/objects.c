/* Our object handles: the inner module's, below the generation in which they were given out. */
#include "faulty.h"

enum { GENERATION_SHIFT = 32 };

static CK_OBJECT_HANDLE low(CK_OBJECT_HANDLE handle)
{
    return handle & 0xFFFFFFFF;
}

CK_OBJECT_HANDLE object_in(struct call *call, CK_OBJECT_HANDLE handle)
{
    struct slot *slot = &control->slots[call->slot];
    if (handle >> GENERATION_SHIFT == token_object_generation(call->slot))
        return low(handle);
    if (slot->state.stale_is_other) {
        count_fault(call);
        return token_other_key(low(handle));
    }
    slot->counters.invalid_handles++;
    return CK_UNAVAILABLE_HANDLE; /* which the inner module refuses by the right code */
}

void object_out(const struct call *call, CK_OBJECT_HANDLE *handle)
{
    *handle = token_object_generation(call->slot) << GENERATION_SHIFT | low(*handle);
}

static bool is_private(const struct call *call, CK_OBJECT_HANDLE object)
{
    CK_BYTE answer = 1;
    CK_ATTRIBUTE attribute = {CKA_PRIVATE, &answer, sizeof answer};
    inner->C_GetAttributeValue(call->inner, object, &attribute, 1);
    return answer;
}

/* The inner token stays logged in, so what the caller may not see is left out here. */
static CK_ULONG visible(const struct call *call, CK_OBJECT_HANDLE *objects, CK_ULONG count)
{
    bool everything = token_logged_in(call->slot);
    CK_ULONG kept = 0;
    for (CK_ULONG i = 0; i < count; i++)
        if (everything || !is_private(call, objects[i]))
            objects[kept++] = objects[i];
    return kept;
}

CK_RV objects_find(struct call *call, CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *count)
{
    CK_ULONG found, kept;
    do {
        CK_RV rv = inner->C_FindObjects(call->inner, objects, room, &found);
        if (rv != CKR_OK)
            return rv;
        kept = visible(call, objects, found);
    } while (found && !kept); /* no object at all would mean the end */
    for (CK_ULONG i = 0; i < kept; i++)
        object_out(call, &objects[i]);
    *count = kept;
    return CKR_OK;
}
