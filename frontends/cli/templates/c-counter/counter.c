#include "app.h"
#include <string.h>

static bool fail(wasi_keyvalue_store_error_t *error, app_string_t *detail) {
    if (error->tag == WASI_KEYVALUE_STORE_ERROR_OTHER)
        app_string_dup_n(detail, (char *)error->val.other.ptr, error->val.other.len);
    else
        app_string_dup(detail, "the store is not there, or not for this function");
    wasi_keyvalue_store_error_free(error);
    return false;
}

bool exports_app_count(app_string_t *page, int64_t *visits, app_string_t *detail) {
    app_string_t name;
    wasi_keyvalue_store_own_bucket_t bucket;
    wasi_keyvalue_store_error_t error;
    app_string_set(&name, "default");
    if (!wasi_keyvalue_store_open(&name, &bucket, &error))
        return fail(&error, detail);
    bool done = wasi_keyvalue_atomics_increment(wasi_keyvalue_store_borrow_bucket(bucket), page, 1, visits, &error);
    wasi_keyvalue_store_bucket_drop_own(bucket);
    return done || fail(&error, detail);
}
