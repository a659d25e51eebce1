/* Runs words.js, as a command: the event is on stdin, the result goes to stdout.
 *
 * The export `wizer-initialize` starts the engine and evaluates the application. With `snapshot = true` this is done
 * once, when the command is published. Without a snapshot, each call does it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quickjs.h"

static const char source[] = {
#embed "words.js"
    , 0};

static JSContext *context;
static JSValue handle;

static void fail(const char *what)
{
    const char *why = JS_ToCString(context, JS_GetException(context));
    fprintf(stderr, "%s: %s\n", what, why ? why : "unknown error");
    exit(1);
}

__attribute__((export_name("wizer-initialize"))) void initialize(void)
{
    JSRuntime *runtime = JS_NewRuntime();
    JS_SetMaxStackSize(runtime, 256 * 1024);
    context = JS_NewContext(runtime);
    if (JS_IsException(JS_Eval(context, source, sizeof source - 1, "words.js", JS_EVAL_TYPE_GLOBAL)))
        fail("the application cannot be evaluated");
    handle = JS_GetPropertyStr(context, JS_GetGlobalObject(context), "handle");
}

/* All of stdin. */
static char *event(size_t *length)
{
    size_t room = 4096, count;
    char *text = malloc(room);
    *length = 0;
    while ((count = fread(text + *length, 1, room - *length, stdin)) > 0) {
        *length += count;
        if (*length == room)
            text = realloc(text, room *= 2);
    }
    return text;
}

int main(void)
{
    if (!context)
        initialize();
    /* The call has another stack than the initialiser had. */
    JS_UpdateStackTop(JS_GetRuntime(context));
    size_t length;
    const char *text = event(&length);
    JSValue argument = JS_NewStringLen(context, text, length);
    JSValue result = JS_Call(context, handle, JS_UNDEFINED, 1, &argument);
    if (JS_IsException(result))
        fail("the application failed");
    fputs(JS_ToCString(context, result), stdout);
    return 0;
}
