/* What this directory needs of PKCS#11 v2.40 (Base Specification, sections 3 and 5). */
#ifndef PKCS11_H
#define PKCS11_H

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV, CK_FLAGS, CK_SLOT_ID, CK_SESSION_HANDLE, CK_OBJECT_HANDLE;
typedef CK_ULONG CK_MECHANISM_TYPE, CK_ATTRIBUTE_TYPE;

typedef struct {
    CK_BYTE major, minor;
} CK_VERSION;

typedef struct {
    CK_BYTE description[64], manufacturer[32];
    CK_FLAGS flags;
    CK_VERSION hardware, firmware;
} CK_SLOT_INFO;

typedef struct {
    CK_BYTE label[32], manufacturer[32], model[16], serial[16];
    CK_FLAGS flags;
    CK_ULONG max_sessions, sessions, max_rw_sessions, rw_sessions, max_pin, min_pin;
    CK_ULONG total_public, free_public, total_private, free_private;
    CK_VERSION hardware, firmware;
    CK_BYTE utc_time[16];
} CK_TOKEN_INFO;

typedef struct {
    CK_SLOT_ID slot;
    CK_ULONG state;
    CK_FLAGS flags;
    CK_ULONG device_error;
} CK_SESSION_INFO;

typedef struct {
    CK_MECHANISM_TYPE mechanism;
    void *parameter;
    CK_ULONG length;
} CK_MECHANISM;

typedef struct {
    CK_ATTRIBUTE_TYPE type;
    void *value;
    CK_ULONG length;
} CK_ATTRIBUTE;

typedef struct {
    void *mutex_callbacks[4];
    CK_FLAGS flags;
    void *reserved;
} CK_INITIALIZE_ARGS;

typedef struct CK_FUNCTION_LIST CK_FUNCTION_LIST;

struct CK_FUNCTION_LIST {
    CK_VERSION version;
#define SPECIAL(name, parameters) CK_RV(*name) parameters;
#define SLOT(name, parameters, ...) CK_RV(*name) parameters;
#define SESSION(name, traits, parameters, ...) CK_RV(*name) parameters;
#include "functions.h"
#undef SPECIAL
#undef SLOT
#undef SESSION
};

enum {
    CK_UNAVAILABLE_HANDLE = 0,

    CKF_TOKEN_PRESENT = 0x1,
    CKF_OS_LOCKING_OK = 0x2,
    CKF_SERIAL_SESSION = 0x4,
    CKF_TOKEN_INITIALIZED = 0x400,

    CKU_USER = 1,
    CKS_RO_PUBLIC = 0,
    CKS_RO_USER = 1,
    CKS_RW_PUBLIC = 2,
    CKS_RW_USER = 3,

    CKO_PRIVATE_KEY = 3,
    CKA_CLASS = 0x000,
    CKA_PRIVATE = 0x002,
    CKA_LABEL = 0x003,
    CKA_KEY_TYPE = 0x100,
    CKA_EC_PARAMS = 0x180,
    CKM_ECDSA = 0x1041,

    CKR_OK = 0x000,
    CKR_SLOT_ID_INVALID = 0x003,
    CKR_GENERAL_ERROR = 0x005,
    CKR_FUNCTION_FAILED = 0x006,
    CKR_FUNCTION_NOT_SUPPORTED = 0x054,
    CKR_OPERATION_ACTIVE = 0x090,
    CKR_PIN_INCORRECT = 0x0A0,
    CKR_SESSION_COUNT = 0x0B1,
    CKR_SESSION_HANDLE_INVALID = 0x0B3,
    CKR_TOKEN_NOT_PRESENT = 0x0E0,
    CKR_USER_ALREADY_LOGGED_IN = 0x100,
    CKR_USER_NOT_LOGGED_IN = 0x101,
    CKR_BUFFER_TOO_SMALL = 0x150,
    CKR_CRYPTOKI_NOT_INITIALIZED = 0x190,
};

#endif
