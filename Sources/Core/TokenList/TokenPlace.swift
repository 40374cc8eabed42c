/// Where a `TokenList` is kept, and what its tokens are made and recognised with: a file and OpenSSL in the hub
/// (`TokenFile`), a virtual disk in the simulator.
public protocol TokenPlace {
    associatedtype Failure: TokenFailure
    /// What changes when the file is replaced or rewritten by anybody.
    associatedtype Identity: Equatable

    /// The file's name, for messages.
    var path: String { get }
    /// Of the file as it is now; nil when there is none, or it cannot be looked at.
    var identity: Identity? { get }

    /// The whole file; nil when there is none.
    func read() throws(Failure) -> (bytes: [UInt8], identity: Identity)?

    /// Replaces the file so that a reader, or a crash at any moment, sees the old content or the new one. When it throws,
    /// the old one is still there.
    func replace(with bytes: [UInt8]) throws(Failure)

    /// Runs `body` while nobody else changes the file with this lock held.
    func whileLocked(_ body: () throws(Failure) -> Void) throws(Failure)

    /// A new token. It is kept nowhere.
    func makeToken() throws(Failure) -> String

    /// What is stored of a token: 64 hexadecimal digits in lower case, which do not tell the token.
    func hash(of token: String) -> String

    /// Equality of two hashes in a time that depends on their lengths only.
    func areEqual(_ a: String, _ b: String) -> Bool
}

/// What a `TokenList` throws: the failures of its place, and two of its own.
public protocol TokenFailure: Error {
    /// Something the caller asked for cannot be: the text says what to do instead.
    static func invalid(_ text: String) -> Self
    /// A line of the file cannot be understood. `number` counts from 1.
    static func line(path: String, number: Int, problem: String) -> Self

    /// One sentence: what is wrong and what to do.
    var message: String { get }
}
