internal import CHiredis

/// hiredis' object functions for a reader whose `privdata` is a `ReplyBuilder`.
///
/// Objects are all the same non-null pointer: what they stand for is in the builder. Null makes the reader stop.
enum ReplyCallbacks {
    static var functions: redisReplyObjectFunctions {
        unsafe redisReplyObjectFunctions(
            createString: { task, bytes, count in unsafe appendString(task, bytes, count) },
            createArray: { task, count in unsafe object(builder(task)?.pointee.appendArray(count: count)) },
            createInteger: { task, value in unsafe object(builder(task)?.pointee.appendInteger(value)) },
            createNil: { task in unsafe object(builder(task)?.pointee.appendNull()) },
            freeObject: { _ in })
    }
}

private func appendString(
    _ task: UnsafePointer<redisReadTask>?, _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int
) -> UnsafeMutableRawPointer? {
    guard let task = unsafe task, let bytes = unsafe bytes, let builder = unsafe builder(task) else { return nil }
    let string = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
    switch unsafe task.pointee.type {
    case REDIS_REPLY_STATUS: return unsafe object(builder.pointee.appendString(.status, string))
    case REDIS_REPLY_ERROR: return unsafe object(builder.pointee.appendString(.error, string))
    default:
        // The reader has waited for these two bytes and does not look at them.
        guard unsafe bytes[count] == 0x0d, unsafe bytes[count + 1] == 0x0a else {
            return unsafe object(builder.pointee.fail("a string does not end with CR LF"))
        }
        return unsafe object(builder.pointee.appendString(.string, string))
    }
}

private func builder(_ task: UnsafePointer<redisReadTask>?) -> UnsafeMutablePointer<ReplyBuilder>? {
    unsafe task?.pointee.privdata?.assumingMemoryBound(to: ReplyBuilder.self)
}

private func object(_ isAppended: Bool?) -> UnsafeMutableRawPointer? {
    unsafe UnsafeMutableRawPointer(bitPattern: isAppended == true ? 1 : 0)
}
