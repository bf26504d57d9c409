import type { FastifyReply } from 'fastify'
import { ServiceError } from '../../../inference/contract/errors.ts'

/** Aborts, with `cancelled` as its reason, when the client closes its connection before the response is complete. */
export function clientGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  const { raw } = reply
  const onClose = () => {
    if (!raw.writableEnded) controller.abort(new ServiceError('cancelled', 'The client closed the connection.'))
  }
  if (raw.destroyed || raw.socket?.destroyed === true) onClose()
  else raw.once('close', onClose)
  return controller.signal
}
