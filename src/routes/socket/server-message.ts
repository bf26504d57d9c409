import type { ErrorBody } from '../wire/error-body.ts'

/** What the server sends, one JSON text frame each. `id` is the client's name for the request. */
export type ServerMessage =
  /** The request is admitted; `stream_id` is what `resume` and GET /v1/streams know it by. */
  | { readonly type: 'started'; readonly id: string; readonly stream_id: string; readonly ignored_params?: readonly string[] }
  /** While it waits. */
  | { readonly type: 'queue'; readonly id: string; readonly position: number; readonly eta_ms: number | null }
  /**
   * `data` is what an SSE event of the same request carries. `seq` stands at the last chunk of an entry, like `id:` in
   * SSE.
   */
  | { readonly type: 'chunk'; readonly id: string; readonly seq?: number; readonly data: object }
  | { readonly type: 'done'; readonly id: string }
  /** The client reads too slowly: nothing more is sent of this request until it is resumed behind `after`. */
  | { readonly type: 'parked'; readonly id: string; readonly stream_id: string; readonly after: number }
  /** The request failed or was refused; with `id: null` the frame named none. The socket stays. */
  | { readonly type: 'error'; readonly id: string | null; readonly error: ErrorBody['error'] }
