//! Taking members out of the archives of packages: wheels (zip), npm's (tar, gzip) and Debian's (through `dpkg-deb`,
//! which knows every compression that Debian uses). Only the members asked for are read, into memory.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// Reads the members with these paths.
///
/// # Errors
/// When the archive is damaged or has no such member.
pub fn members(archive: &Path, wanted: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let found = match archive.extension().and_then(|ext| ext.to_str()) {
        Some("whl" | "zip") => from_zip(File::open(archive)?, wanted),
        Some("tgz") => from_tar(flate2::read::GzDecoder::new(File::open(archive)?), wanted, "package/"),
        Some("deb") => from_deb(archive, wanted),
        _ => anyhow::bail!("it is of no kind that is known"),
    }
    .with_context(|| format!("`{name}` cannot be unpacked"))?;
    for path in wanted {
        ensure!(found.contains_key(*path), "`{name}` has no member `{path}`");
    }
    Ok(found)
}

fn from_zip(file: File, wanted: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut archive = zip::ZipArchive::new(file)?;
    let mut found = BTreeMap::new();
    for path in wanted {
        let Ok(mut member) = archive.by_name(path) else {
            continue;
        };
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes)?;
        found.insert((*path).to_string(), bytes);
    }
    Ok(found)
}

fn from_tar(reader: impl Read, wanted: &[&str], root: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(reader).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let path = path.strip_prefix(root).unwrap_or(&path).to_string();
        if wanted.contains(&path.as_str()) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            found.insert(path, bytes);
        }
    }
    Ok(found)
}

fn from_deb(archive: &Path, wanted: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(archive)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("`dpkg-deb` cannot be started; install dpkg")?;
    let output = child.stdout.take().context("a piped output is there")?;
    let found = from_tar(output, wanted, "./");
    let status = child.wait()?;
    let found = found?;
    ensure!(status.success(), "`dpkg-deb` failed; the package is damaged");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn members_of_an_npm_archive() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.tgz");
        let gz = flate2::write::GzEncoder::new(File::create(&path).expect("a file"), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gz);
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_cksum();
        tar.append_data(&mut header, "package/model/a.bin", &b"abc"[..])
            .expect("a member");
        tar.into_inner().expect("a tar").finish().expect("a gzip");
        assert_eq!(members(&path, &["model/a.bin"]).expect("there")["model/a.bin"], b"abc");
        let error = members(&path, &["model/b.bin"]).expect_err("not there").to_string();
        assert_eq!(error, "`x.tgz` has no member `model/b.bin`");
    }

    #[test]
    fn a_damaged_wheel_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broken.whl");
        File::create(&path)
            .and_then(|mut f| f.write_all(b"no zip"))
            .expect("a file");
        let error = members(&path, &["a"]).expect_err("damaged").to_string();
        assert_eq!(error, "`broken.whl` cannot be unpacked");
    }
}
