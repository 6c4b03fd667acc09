import CLibPQ
import Glibc
import Synchronization

/// A request to cancel what a connection runs, on its way to the server.
///
/// libpq delivers it over a connection of its own and blocks until the server has taken it, on a dead link for as long as
/// the kernel does. So it has a thread of its own, which nobody has to wait for.
@safe final class CancelRequest: Sendable {
    // Only the thread uses it, and `deinit` behind that.
    private nonisolated(unsafe) let request: OpaquePointer
    private let wasDelivered = Atomic(false)
    /// Becomes readable when the request was delivered or has failed.
    let descriptor: Int32

    /// Whether the server has taken the request.
    var isDelivered: Bool { wasDelivered.load(ordering: .acquiring) }

    /// Begins to ask the server of `connection`; nil when that is impossible.
    init?(_ connection: OpaquePointer?) {
        guard let request = unsafe PQgetCancel(connection) else { return nil }
        unsafe self.request = request
        descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard descriptor >= 0, start() else { return nil }
    }

    deinit {
        unsafe PQfreeCancel(request)
        if descriptor >= 0 { close(descriptor) }
    }

    private func start() -> Bool {
        let box = unsafe Unmanaged.passRetained(self)
        var thread = pthread_t()
        let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { box in
            guard let box = unsafe box else { return nil }
            unsafe Unmanaged<CancelRequest>.fromOpaque(box).takeRetainedValue().deliver()
            return nil
        }
        guard unsafe pthread_create(&thread, nil, main, box.toOpaque()) == 0 else {
            unsafe box.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private func deliver() {
        unsafe regionsync_name_thread("cancel")
        var reason = [CChar](repeating: 0, count: 256)
        let result = unsafe PQcancel(request, &reason, Int32(reason.count))
        wasDelivered.store(result == 1, ordering: .releasing)
        var one: UInt64 = 1
        _ = unsafe write(descriptor, &one, MemoryLayout<UInt64>.size)
    }
}
