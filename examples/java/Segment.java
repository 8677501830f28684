// Segment an image over REST: java Segment IMAGE [URL]

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;

public class Segment {
    static final ObjectMapper JSON = new ObjectMapper();

    /** The service's result: labelMap, size and image. */
    static JsonNode segment(byte[] image, String url) throws IOException, InterruptedException {
        String body = JSON.writeValueAsString(Map.of("image", Base64.getEncoder().encodeToString(image)));
        HttpResponse<String> response;
        try {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/semantic-segmentation"))
                    .header("Content-Type", "application/json")
                    .timeout(Duration.ofSeconds(100)) // the service gives up after 60
                    .POST(HttpRequest.BodyPublishers.ofString(body))
                    .build();
            response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException | IllegalArgumentException error) {
            throw new IOException("no answer from " + url + ": " + error);
        }
        JsonNode answer;
        try {
            answer = JSON.readTree(response.body());
        } catch (JsonProcessingException error) {
            answer = JSON.nullNode();
        }
        if (!answer.has("errorMsg")) {
            throw new IOException(url + " answered " + response.statusCode() + ", but not in the service's format");
        }
        if (response.statusCode() != 200) {
            throw new IOException(answer.path("errorCode").asInt() + ": " + answer.get("errorMsg").asText());
        }
        return answer.get("result");
    }

    static void run(Path path, String url) throws IOException, InterruptedException, NoSuchAlgorithmException {
        JsonNode result = segment(Files.readAllBytes(path), url);

        int height = result.get("size").get(0).asInt();
        int width = result.get("size").get(1).asInt();
        byte[] labels = new byte[height * width]; // a class id for each pixel, row by row
        for (int i = 0; i < labels.length; i++) {
            labels[i] = (byte) result.get("labelMap").get(i).asInt();
        }
        String name = path.getFileName().toString().replaceFirst("\\.[^.]*$", "");
        try (var file = Files.newOutputStream(Path.of(name + "_labels.pgm"))) {
            file.write(String.format("P5 %d %d 255\n", width, height).getBytes());
            file.write(labels);
        }
        Files.write(Path.of(name + "_picture.jpg"), result.get("image").binaryValue());
        String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(labels));
        System.out.printf("%s_labels.pgm: %dx%d, SHA-256 %s%n", name, width, height, digest);
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 1 || arguments.length > 2) {
            System.err.println("usage: java Segment IMAGE [URL]");
            System.exit(2);
        }
        try {
            run(Path.of(arguments[0]), arguments.length == 2 ? arguments[1] : "http://localhost:8080");
        } catch (FileSystemException error) { // its message is only the file's name
            System.err.println(error);
            System.exit(1);
        } catch (IOException error) {
            System.err.println(error.getMessage());
            System.exit(1);
        }
    }
}
