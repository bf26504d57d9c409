import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { testApp } from '../app-parts.ts'

it('a connection on which nothing was asked does not keep a server that closes', async () => {
  const app = testApp()
  const url = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  const unused = connect(Number(url.port), url.hostname)
  await once(app.server, 'connection')
  expect((await fetch(new URL('/health', url))).status).toBe(200)
  const closed = once(unused, 'close')
  await app.close()
  await closed
})
