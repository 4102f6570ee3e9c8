//! Passwords. Invariant: a password is kept only as an argon2id hash and never stands in a log or an argument list.

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHasher, SaltString};

/// NIST SP 800-63B-4 asks for 15 characters where a password is the only factor.
pub const FEWEST_CHARACTERS: usize = 15;
const MOST_BYTES: usize = 1024;

/// Why a password is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("the password has {0} characters; use at least {FEWEST_CHARACTERS}, a sentence for example")]
    TooShort(usize),
    /// Too long.
    #[error("the password has {0} bytes; use at most {MOST_BYTES}")]
    TooLong(usize),
    /// The hash function failed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

/// The hash of a password, PHC string, argon2id with the parameters that the crate recommends (19 MiB, 2 passes).
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let characters = password.chars().count();
    if characters < FEWEST_CHARACTERS {
        return Err(PasswordError::TooShort(characters));
    }
    if password.len() > MOST_BYTES {
        return Err(PasswordError::TooLong(password.len()));
    }
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string())
        .map_err(|cause| PasswordError::Hash(cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::{PasswordHash, PasswordVerifier};

    #[test]
    fn a_hash_belongs_to_its_password_alone() {
        let hashed = hash("trạm gác số một Đồng Nai").unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        let parsed = PasswordHash::new(&hashed).unwrap();
        let verify = |password: &str| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
        assert!(verify("trạm gác số một Đồng Nai") && !verify("trạm gác số hai Đồng Nai"));
        assert_ne!(
            hashed,
            hash("trạm gác số một Đồng Nai").unwrap(),
            "the salt is always the same"
        );
    }

    #[test]
    fn short_and_huge_passwords_are_refused() {
        assert_eq!(hash("ngắn"), Err(PasswordError::TooShort(4)));
        assert_eq!(hash(&"x".repeat(1025)), Err(PasswordError::TooLong(1025)));
    }
}
