import { z } from 'zod'

export const StatusSchema = z
  .looseObject({ status: z.enum(['ok', 'unhealthy', 'ready', 'not ready']) })
  .meta({ id: 'Status', description: 'How the server is, and figures of it.' })
