//! Writes the seeds of the targets that take files of a data directory: each of its files, as it is.

use std::fs;
use std::path::Path;

use esker_fuzz::directory::sound;

fn main() -> std::io::Result<()> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for target in ["data_directory", "index_files", "producer_files", "text_files"] {
        let dir = seeds.join(target);
        fs::create_dir_all(&dir)?;
        for closed in [false, true] {
            let is_wanted = |path: &str| match target {
                "index_files" => path.ends_with("index"),
                "producer_files" => path.ends_with(".snapshot") || path.ends_with(".txnindex"),
                "text_files" => !path.ends_with("index") && !path.ends_with(".log") && !path.ends_with(".snapshot"),
                _ => true,
            };
            let files = sound(closed).iter().filter(|(path, _)| is_wanted(&path.to_string_lossy()));
            for (index, (path, contents)) in files.enumerate() {
                let name = path.to_string_lossy().replace(['/', '.'], "_");
                let seed = [&[index as u8, u8::from(closed)], &**contents].concat();
                fs::write(dir.join(format!("{name}_{}", if closed { "closed" } else { "crashed" })), seed)?;
            }
        }
    }
    Ok(())
}
