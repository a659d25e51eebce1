import { increment } from 'wasi:keyvalue/atomics@0.2.0-draft2';
import { open } from 'wasi:keyvalue/store@0.2.0-draft2';

export function count(page) {
  try {
    return increment(open('default'), page, 1n);
  } catch ({ payload }) {
    throw payload.val ?? payload.tag;
  }
}
