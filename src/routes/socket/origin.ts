import { ServiceError } from '../../inference/contract/errors.ts'

/**
 * Browsers let any page open a socket anywhere, without asking first, and say where the page comes from: only pages of
 * this server's own host may. Programs send no origin.
 *
 * @throws {ServiceError} `forbidden`
 */
export function assertOwnOrigin(origin: string | undefined, host: string | undefined): void {
  if (origin === undefined) return
  if (URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()) return
  throw new ServiceError('forbidden', `A page of another origin may not open a socket here.`)
}
