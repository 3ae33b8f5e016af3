//! Answers that are lost on the way: what the server has done is not done again.

use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// Stands between a client and a server, and keeps the answers to requests that complete an upload to itself.
fn losing(server: &Server) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let to = server.url.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let to = to.clone();
            std::thread::spawn(move || _ = pass_on(stream, &to));
        }
    });
    Server { name: server.name.clone(), url }
}

/// One request, and its answer unless that is lost.
fn pass_on(mut client: TcpStream, to: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut server = TcpStream::connect(to)?;
    write!(server, "{head}connection: close\r\n\r\n")?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let completes = head.starts_with("POST ") && head.lines().next().is_some_and(|line| line.contains("uploadId="));
    if completes { Ok(()) } else { client.write_all(&answer) }
}

#[test]
fn a_value_goes_once_though_nobody_hears_that_it_is_there() {
    for server in servers() {
        block_on(async {
            let (remote, losing) = (server.remote("lost", Form::Binary).await, losing(&server));
            let place = remote.bucket.place().clone();
            let bucket = Bucket::open(place, &losing.settings()).await;
            let content = |checksum: &str| Content {
                media_type: "application/octet-stream".into(),
                checksum: checksum.into(),
                payload: 0,
                head: bytes::Bytes::new(),
                body: noise(PART + 10).into(),
            };
            bucket.put("thing", &content("1")).await.expect("it is there");
            assert_eq!(bucket.stored(), 2, "{}: each part goes once", server.name);
            let found = remote.bucket.get("thing", u64::MAX).await.expect("read").expect("there");
            assert!(found == content("1").body, "{}", server.name);
            // Whoever was killed before the answer came finds it there as well.
            let begun = |_: &str| -> Result<(), Infallible> { panic!("{}: it begins anew", server.name) };
            bucket.put_parts("thing", &content("1"), Some("gone"), begun).await.expect("it is there");
            assert_eq!(bucket.stored(), 2, "{}", server.name);
            // Something else under that key is no answer.
            let anew = bucket.put_parts("thing", &content("2"), Some("gone"), |_| Ok::<(), Infallible>(())).await;
            assert!(anew.is_ok() && bucket.stored() == 4, "{}: {anew:?}", server.name);
        });
    }
}
