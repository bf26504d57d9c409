import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

/** The JDK's HTTP client with its defaults: over plain HTTP each request contains an upgrade to h2c. */
final class JavaClient {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        String key = arguments[1];
        String body = "{\"model\":\"simulated\",\"prompt\":\"Hello\",\"max_tokens\":4,\"ignore_eos\":true";
        for (int round = 0; round < 3; round++) {
            send(HttpRequest.newBuilder(URI.create(url + "/health")).GET());
            send(post(url, key, body + "}"));
            send(post(url, key, body + ",\"stream\":true}"));
            send(post(url, "a-wrong-key", body + "}"));
        }
    }

    private static HttpRequest.Builder post(String url, String key, String body) {
        return HttpRequest.newBuilder(URI.create(url + "/v1/completions"))
            .header("Content-Type", "application/json")
            .header("Authorization", "Bearer " + key)
            .POST(HttpRequest.BodyPublishers.ofString(body));
    }

    private static void send(HttpRequest.Builder request) throws Exception {
        var response = CLIENT.send(request.build(), BodyHandlers.ofString());
        System.out.println(response.version() + " " + response.statusCode() + " " + (response.body().contains("data: [DONE]") ? "streamed" : "whole"));
    }
}
