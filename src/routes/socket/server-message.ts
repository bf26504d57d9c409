import type { ErrorBody } from '../wire/errors/error-body.ts'

/** A message of the server, one JSON text frame. `id` is the client's name of the request. */
export type ServerMessage =
  /** The request was admitted. `stream_id` identifies it in `resume` and in GET /v1/streams/{id}. */
  | { readonly type: 'started'; readonly id: string; readonly stream_id: string; readonly ignored_params?: readonly string[] }
  /** The position of a waiting request has changed. */
  | { readonly type: 'queue'; readonly id: string; readonly position: number; readonly eta_ms: number | null }
  /**
   * `data` is the data of the SSE event of the same request. `seq` is set on the last chunk of an entry, like `id:` in
   * SSE.
   */
  | { readonly type: 'chunk'; readonly id: string; readonly seq?: number; readonly data: object }
  | { readonly type: 'done'; readonly id: string }
  /** The client reads too slowly: nothing more is sent for this request until it is resumed with `after`. */
  | { readonly type: 'parked'; readonly id: string; readonly stream_id: string; readonly after: number }
  /** The request failed or was refused; `id` is null if the frame had none. The socket stays open. */
  | { readonly type: 'error'; readonly id: string | null; readonly error: ErrorBody['error'] }
