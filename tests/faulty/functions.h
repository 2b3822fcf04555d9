/* Every function of PKCS#11 v2.40 in the order of CK_FUNCTION_LIST: the one table of them.
 *
 * Whoever includes this defines what to make of
 *   SPECIAL(name, parameters)                       a function with a wrapper of its own,
 *   SLOT(name, parameters, arguments, after)        one that is about a slot,
 *   SESSION(name, traits, parameters, arguments, after)    one that is about a session,
 * where `arguments` are what the inner module gets and `after` is done after a success.
 * IN turns an object handle into the inner module's, OUT the other way. The traits: ENDS, a
 * success ends the operation; USER, it needs a login.
 */
#define ARGUMENTS(...) (call.inner, __VA_ARGS__)
#define TAKES_INPUT (CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG size)
#define TAKES_BUFFER (CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *room)
#define TAKES_BOTH \
    (CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG size, CK_BYTE *out, CK_ULONG *room)
#define TAKES_KEY (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
#define GIVES_INPUT ARGUMENTS(in, size)
#define GIVES_BUFFER ARGUMENTS(out, room)
#define GIVES_BOTH ARGUMENTS(in, size, out, room)
#define GIVES_KEY ARGUMENTS(mechanism, IN(key))

SPECIAL(C_Initialize, (void *arguments))
SPECIAL(C_Finalize, (void *reserved))
SPECIAL(C_GetInfo, (void *info))
SPECIAL(C_GetFunctionList, (CK_FUNCTION_LIST **list))
SPECIAL(C_GetSlotList, (CK_BYTE present, CK_SLOT_ID *slots, CK_ULONG *count))
SPECIAL(C_GetSlotInfo, (CK_SLOT_ID slot, CK_SLOT_INFO *info))
SLOT(C_GetTokenInfo, (CK_SLOT_ID slot, CK_TOKEN_INFO *info), ARGUMENTS(info),
     describe_token(&call, info))
SLOT(C_GetMechanismList, (CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count),
     ARGUMENTS(list, count), )
SLOT(C_GetMechanismInfo, (CK_SLOT_ID slot, CK_MECHANISM_TYPE type, void *info),
     ARGUMENTS(type, info), )
SLOT(C_InitToken, (CK_SLOT_ID slot, CK_BYTE *pin, CK_ULONG size, CK_BYTE *label),
     ARGUMENTS(pin, size, label), )
SESSION(C_InitPIN, 0, TAKES_INPUT, GIVES_INPUT, )
SESSION(C_SetPIN, 0,
        (CK_SESSION_HANDLE session, CK_BYTE *old, CK_ULONG old_size, CK_BYTE *new, CK_ULONG size),
        ARGUMENTS(old, old_size, new, size), token_remember_pin(new, size))
SPECIAL(C_OpenSession, (CK_SLOT_ID slot, CK_FLAGS flags, void *application, void *notify,
                        CK_SESSION_HANDLE *handle))
SPECIAL(C_CloseSession, (CK_SESSION_HANDLE session))
SPECIAL(C_CloseAllSessions, (CK_SLOT_ID slot))
SESSION(C_GetSessionInfo, 0, (CK_SESSION_HANDLE session, CK_SESSION_INFO *info), ARGUMENTS(info),
        describe_session(&call, info))
SESSION(C_GetOperationState, 0, TAKES_BUFFER, GIVES_BUFFER, )
SESSION(C_SetOperationState, 0,
        (CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG size, CK_OBJECT_HANDLE encryption,
         CK_OBJECT_HANDLE authentication),
        ARGUMENTS(in, size, IN(encryption), IN(authentication)), )
SPECIAL(C_Login, (CK_SESSION_HANDLE session, CK_ULONG user, CK_BYTE *pin, CK_ULONG size))
SPECIAL(C_Logout, (CK_SESSION_HANDLE session))
SESSION(C_CreateObject, USER,
        (CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count,
         CK_OBJECT_HANDLE *object),
        ARGUMENTS(attributes, count, object), OUT(object))
SESSION(C_CopyObject, USER,
        (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes,
         CK_ULONG count, CK_OBJECT_HANDLE *copy),
        ARGUMENTS(IN(object), attributes, count, copy), OUT(copy))
SESSION(C_DestroyObject, USER, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object),
        ARGUMENTS(IN(object)), )
SESSION(C_GetObjectSize, 0,
        (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG *size),
        ARGUMENTS(IN(object), size), )
SESSION(C_GetAttributeValue, 0,
        (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes,
         CK_ULONG count),
        ARGUMENTS(IN(object), attributes, count), )
SESSION(C_SetAttributeValue, USER,
        (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes,
         CK_ULONG count),
        ARGUMENTS(IN(object), attributes, count), )
SESSION(C_FindObjectsInit, 0,
        (CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count),
        ARGUMENTS(attributes, count), )
SPECIAL(C_FindObjects, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room,
                        CK_ULONG *count))
SESSION(C_FindObjectsFinal, ENDS, (CK_SESSION_HANDLE session), (call.inner), )
SESSION(C_EncryptInit, 0, TAKES_KEY, GIVES_KEY, )
SESSION(C_Encrypt, ENDS, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_EncryptUpdate, 0, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_EncryptFinal, ENDS, TAKES_BUFFER, GIVES_BUFFER, )
SESSION(C_DecryptInit, USER, TAKES_KEY, GIVES_KEY, )
SESSION(C_Decrypt, ENDS | USER, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_DecryptUpdate, USER, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_DecryptFinal, ENDS | USER, TAKES_BUFFER, GIVES_BUFFER, )
SESSION(C_DigestInit, 0, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism),
        ARGUMENTS(mechanism), )
SESSION(C_Digest, ENDS, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_DigestUpdate, 0, TAKES_INPUT, GIVES_INPUT, )
SESSION(C_DigestKey, 0, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key), ARGUMENTS(IN(key)), )
SESSION(C_DigestFinal, ENDS, TAKES_BUFFER, GIVES_BUFFER, )
SPECIAL(C_SignInit, TAKES_KEY)
SPECIAL(C_Sign, TAKES_BOTH)
SESSION(C_SignUpdate, USER, TAKES_INPUT, GIVES_INPUT, )
SESSION(C_SignFinal, ENDS | USER, TAKES_BUFFER, GIVES_BUFFER, )
SESSION(C_SignRecoverInit, USER, TAKES_KEY, GIVES_KEY, )
SESSION(C_SignRecover, ENDS | USER, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_VerifyInit, 0, TAKES_KEY, GIVES_KEY, )
SESSION(C_Verify, ENDS,
        (CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG size, CK_BYTE *signature,
         CK_ULONG signature_size),
        ARGUMENTS(in, size, signature, signature_size), )
SESSION(C_VerifyUpdate, 0, TAKES_INPUT, GIVES_INPUT, )
SESSION(C_VerifyFinal, ENDS, TAKES_INPUT, GIVES_INPUT, )
SESSION(C_VerifyRecoverInit, 0, TAKES_KEY, GIVES_KEY, )
SESSION(C_VerifyRecover, ENDS, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_DigestEncryptUpdate, 0, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_DecryptDigestUpdate, USER, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_SignEncryptUpdate, USER, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_DecryptVerifyUpdate, USER, TAKES_BOTH, GIVES_BOTH, )
SESSION(C_GenerateKey, USER,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attributes,
         CK_ULONG count, CK_OBJECT_HANDLE *key),
        ARGUMENTS(mechanism, attributes, count, key), OUT(key))
SESSION(C_GenerateKeyPair, USER,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public_attributes,
         CK_ULONG public_count, CK_ATTRIBUTE *private_attributes, CK_ULONG private_count,
         CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key),
        ARGUMENTS(mechanism, public_attributes, public_count, private_attributes, private_count,
                  public_key, private_key),
        (OUT(public_key), OUT(private_key)))
SESSION(C_WrapKey, USER,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping,
         CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *room),
        ARGUMENTS(mechanism, IN(wrapping), IN(key), out, room), )
SESSION(C_UnwrapKey, USER,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping,
         CK_BYTE *in, CK_ULONG size, CK_ATTRIBUTE *attributes, CK_ULONG count,
         CK_OBJECT_HANDLE *key),
        ARGUMENTS(mechanism, IN(wrapping), in, size, attributes, count, key), OUT(key))
SESSION(C_DeriveKey, USER,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
         CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *key),
        ARGUMENTS(mechanism, IN(base), attributes, count, key), OUT(key))
SESSION(C_SeedRandom, 0, TAKES_INPUT, GIVES_INPUT, )
SESSION(C_GenerateRandom, 0, TAKES_INPUT, GIVES_INPUT, )
SESSION(C_GetFunctionStatus, 0, (CK_SESSION_HANDLE session), (call.inner), )
SESSION(C_CancelFunction, 0, (CK_SESSION_HANDLE session), (call.inner), )
SPECIAL(C_WaitForSlotEvent, (CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved))

#undef ARGUMENTS
#undef TAKES_INPUT
#undef TAKES_BUFFER
#undef TAKES_BOTH
#undef TAKES_KEY
#undef GIVES_INPUT
#undef GIVES_BUFFER
#undef GIVES_BOTH
#undef GIVES_KEY
