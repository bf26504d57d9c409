import type { z } from 'zod'
import type { LazyList } from '../json/json-pieces.ts'

/** A response as its schema describes it, deeply readonly. */
export type Wire<Schema extends z.ZodType> = DeepReadonly<z.output<Schema>>

type DeepReadonly<Value> = Value extends object ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> } : Value

/** The same, where any list may be produced lazily while it is sent. */
export type LazyWire<Schema extends z.ZodType> = Lazy<z.output<Schema>>

type Lazy<Value> = Value extends readonly (infer Item)[]
  ? LazyList<DeepReadonly<Item>> | readonly Lazy<Item>[]
  : Value extends object
    ? { readonly [Key in keyof Value]: Lazy<Value[Key]> }
    : Value
