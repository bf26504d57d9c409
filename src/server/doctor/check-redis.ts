import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { type Finding, note, ok } from './finding.ts'

/** Nothing needs Redis today: the queue lives in the server. */
export async function checkRedis(path: string | undefined): Promise<Finding> {
  const names = ['redis-server', 'valkey-server', 'redis-server.exe']
  const files = (path ?? '').split(delimiter).flatMap(folder => (folder === '' ? [] : names.map(name => join(folder, name))))
  for (const file of files) {
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false
    )
    if (isThere) return ok('Redis', `${file} (not needed: the queue lives in the server)`)
  }
  return note('Redis', 'no redis-server in PATH, and none is needed: the queue lives in the server')
}
