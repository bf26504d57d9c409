/** The response header that tells a client its own name for the request, `request_id` of its body. */
export const CLIENT_REQUEST_ID = 'x-client-request-id'
