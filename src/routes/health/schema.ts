import { z } from 'zod'

export const StatusSchema = z
  .looseObject({ status: z.enum(['ok', 'unhealthy', 'ready', 'not ready']).describe('Result of the probe.') })
  .meta({ id: 'Status', description: 'Status of the server, with statistics.' })
