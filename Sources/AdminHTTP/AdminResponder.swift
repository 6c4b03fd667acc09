internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import NIOCore
internal import Observability

/// Answers each path; knows nothing of connections.
internal struct AdminResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    private struct ReadyBody: Encodable {
        let ready: Bool
        let waitingFor: [String]
    }

    let answers: AdminAnswers

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        guard request.method == .get || request.method == .head else {
            var response = text(.methodNotAllowed, "only GET and HEAD\n")
            response.headers[.allow] = "GET, HEAD"
            return response
        }
        let response = await answer(to: request)
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(to request: Request) async -> Response {
        switch request.uri.path {
        case "/": page()
        case "/livez": text(.ok, "alive\n")
        case "/readyz": readiness()
        case "/status": await status()
        case "/metrics": metrics(accept: request.headers[.accept])
        default: text(.notFound, "there are /, /livez, /readyz, /status and /metrics\n")
        }
    }

    private func metrics(accept: String?) -> Response {
        let format = MetricsFormat(accept: accept)
        return response(.ok, format.contentType, ByteBuffer(string: format.render(answers.metrics())))
    }

    private func readiness() -> Response {
        switch answers.readiness() {
        case .ready: json(.ok, ReadyBody(ready: true, waitingFor: []))
        case .waiting(let awaited): json(.serviceUnavailable, ReadyBody(ready: false, waitingFor: awaited))
        }
    }

    private func status() async -> Response {
        do {
            return response(.ok, Self.jsonType, ByteBuffer(bytes: try await answers.status()))
        } catch {
            return text(.internalServerError, "the status cannot be told: \(error)\n")
        }
    }

    /// The page runs only its own script and talks only to this server.
    private func page() -> Response {
        var page = response(.ok, "text/html; charset=utf-8", ByteBuffer(string: StatusPage.html))
        page.headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return page
    }

    private static let jsonType = "application/json; charset=utf-8"

    private func json(_ status: HTTPResponse.Status, _ value: any Encodable) -> Response {
        do {
            return response(status, Self.jsonType, ByteBuffer(bytes: try AdminAnswers.encoded(value)))
        } catch {
            return text(.internalServerError, "cannot be encoded: \(error)\n")
        }
    }

    private func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        response(status, "text/plain; charset=utf-8", ByteBuffer(string: text))
    }

    private func response(_ status: HTTPResponse.Status, _ type: String, _ body: ByteBuffer) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = type
        headers[.cacheControl] = "no-store"
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}
