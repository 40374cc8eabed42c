import TokenList

/// The hub's list of pucks in a file: see `TokenList`.
public typealias TokenStore = TokenList<TokenFile>

/// The file of a `TokenStore`, mode 0600, locked through its folder; tokens by OpenSSL.
public struct TokenFile: TokenPlace {
    public let path: String

    public init(_ path: String) { self.path = path }

    public var identity: FileIdentity? { FileIdentity.of(path) }

    public func read() throws(CredentialError) -> (bytes: [UInt8], identity: FileIdentity)? { try readFile(path) }

    public func replace(with bytes: [UInt8]) throws(CredentialError) {
        try replaceFile(path, with: bytes, mode: 0o600)
    }

    public func whileLocked(_ body: () throws(CredentialError) -> Void) throws(CredentialError) {
        try withFolderLocked(of: path, body)
    }

    public func makeToken() throws(CredentialError) -> String { try DeviceToken.generate() }

    public func hash(of token: String) -> String { DeviceToken.hash(token) }

    public func areEqual(_ a: String, _ b: String) -> Bool { DeviceToken.areEqual(a, b) }
}

extension CredentialError: TokenFailure {}

extension TokenList where Place == TokenFile {
    /// Reads the file. A line that cannot be understood throws, with its number.
    public convenience init(path: String) throws(CredentialError) { try self.init(TokenFile(path)) }
}
