import COpenSSL

@testable import Credentials

/// A copy of the group's modulus, to be freed by its owner.
func copiedModulus(of group: PasswordGroup) -> OpaquePointer? { BN_dup(group.parameters.N) }
